-- `make fleet` in small: many processes on one ledger, killed, limited and cut off.
-- All parts at the same time, for mostly they wait.

local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local shell = require "starvideos.nginx.shell"

-- Orders, and what repeats a run that failed.
local SCALE, SEED = 60, os.time() % 10000

-- What differs from one Lua to another is not the server.
local PARTS = interpreter == "luajit" and { "kills", "batch" }
  or { "queue", "crowd", "kills", "cap", "batch", "restore", "stops" }

local RUN = "timeout 200 @lua@ spec/fleet/run.lua @scale@ @seed@ @part@"
  .. " >@log@ 2>&1 &\n"

describe("a fleet, in part", function()
  local folder

  setup(function()
    folder = files.folder()
    local commands = {}
    for index, part in ipairs(PARTS) do
      commands[index] = shell.fill(RUN, { lua = interpreter, scale = SCALE,
        seed = SEED, part = part, log = folder .. "/" .. part })
    end
    shell.run(table.concat(commands) .. "wait")
  end)

  teardown(function()
    files.remove(folder)
  end)

  for _, part in ipairs(PARTS) do
    it(part .. ", meets all its goals", function()
      local output = files.read(folder .. "/" .. part)
      local passed, failed = output:match "\n(%d+) passed, (%d+) failed"
      assert.is_true(failed == "0" and tonumber(passed) > 0, output)
    end)
  end
end)
