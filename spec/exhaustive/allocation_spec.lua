--- Each request for memory is refused once: those of the library's own C, and
-- those of Lua, libcurl and libcrypto on its behalf. What is done meanwhile,
-- and what must be true after it, stands in spec/allocation/scenarios.lua.

local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local shell = require "starvideos.nginx.shell"

local scenarios = dofile "spec/allocation/scenarios.lua"

local DRIVER = ("build/allocation/%s/driver"):format(interpreter)

-- Leaks are counted by the driver itself, of all memory but what other
-- modules' C has: lua-cjson leaks a buffer where Lua raises in it.
local COMMAND = "ASAN_OPTIONS=detect_leaks=0 timeout 600 " .. DRIVER
  .. " spec/allocation/program.lua '%s' %s %s %s/file 2>&1"

local function read(command)
  local pipe = assert(io.popen(command .. "; echo $?"))
  local output, status = pipe:read("*a"):match "^(.-)(%d+)\n$"
  pipe:close()
  return output, status
end

local folder

local function assert_survives(name, source, mode)
  local output, status = read(COMMAND:format(name, source, mode, folder))
  assert(status == "0", output)
  assert.is_true(tonumber(output:match "(%d+)\n$") > 0,
    "memory never ran out: " .. output)
end

local names = {}
for name in pairs(scenarios) do
  names[#names + 1] = name
end
table.sort(names)

describe("When memory runs out while", function()
  setup(function()
    local output, status = read("MAKEFLAGS= make -s allocation LUA="
      .. interpreter .. " 2>&1")
    assert(status == "0", output)
    -- In memory, for thousands of ledgers are made.
    folder = shell.read "mktemp -d -p /dev/shm 2>/dev/null || mktemp -d"
  end)

  teardown(function()
    files.remove(folder)
  end)

  for _, name in ipairs(names) do
    for _, source in ipairs(scenarios[name].short_of) do
      it(("%s (%s), nothing is damaged, lost or left behind"):format(name,
        source),
        function()
          assert_survives(name, source, "once")
          assert_survives(name, source, "on")
        end)
    end
  end
end)
