-- What lies in the folder that the command is called in is not run: not under any
-- name that a run asks `require` for, whatever LUA_PATH says.

local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local shell = require "starvideos.nginx.shell"

local COMMAND = shell.read "command -v starvideos"

-- Enough of each command to load what it works with; none reaches a provider.
local RUNS = { "--version", "generate @order@ -o a.mp4", "create @order@ --ledger a.db",
  "wait video_1", "download video_1 -o b.mp4 --timeout 1",
  "validate @order@ --params p.json", "models", "query video_1", "pending --ledger a.db",
  "orders --ledger a.db", "status --ledger a.db", "batch list --yes --ledger a.db",
  "work --ledger a.db", "resume --ledger a.db --timeout 1",
  "limits --ledger a.db --open 3", "adopt x video_2 --ledger a.db",
  "dismiss x --ledger a.db", "label x y --ledger a.db", "archive --ledger a.db",
  "ledger backup b.db --ledger a.db", "gateway --print-config config",
  "sandbox --list-scenarios", "doctor", "completion bash", "manual" }

-- Relative templates in every spelling, before those that are none.
local FOREIGN = { LUA_PATH = "./?.lua;?.lua;../@folder@/?.lua;?/init.lua;;",
  LUA_CPATH = "./?.so;?.so;./loadall.so;;" }
-- Lua 5.2 and later look into these first.
local suffix = "_" .. _VERSION:match("%d%.%d"):gsub("%.", "_")
local VERSIONED = { ["LUA_PATH" .. suffix] = FOREIGN.LUA_PATH,
  ["LUA_CPATH" .. suffix] = FOREIGN.LUA_CPATH }

-- Separators, templates, and those of them that are left, for each system.
local SPELLINGS = {
  { "/", "?.lua;./?.lua;../x/?.lua;;x/?.lua;~/?.lua;C:/?.lua;/a/?.lua;/?.lua", "/a/?.lua;/?.lua" },
  { "\\", ".\\?.lua;?.lua;;..\\?.lua;C:?.lua;\\?.lua;/?.lua;C:\\a\\?.lua;D:/?.lua;\\\\host\\?.lua",
    "C:\\a\\?.lua;D:/?.lua;\\\\host\\?.lua" },
}

local PRINTS = [[
package.config = %q .. "\n;\n?\n!\n-\n"
package.path, package.cpath = %q, %q
package.preload["starvideos.cli"] = function()
  return { main = function()
    io.write(package.path, "\n", package.cpath, "\n")
    return 0
  end }
end
]]

local TRACE = [[
local search = package.searchers or package.loaders
table.insert(search, 2, function(name)
  local file = io.open("@folder@/names", "a")
  file:write(name, "\n")
  file:close()
end)
]]

describe("the command", function()
  local folder

  setup(function()
    folder = files.folder()
    for name, text in pairs { ["p.json"] = "{}", ["c.mp4"] = "in the way", list =
      '{"model": "videos", "prompt": "A kitten", "duration": 5, "path": "c.mp4"}\n' } do
      files.write(folder .. "/" .. name, text)
    end
  end)

  teardown(function()
    files.remove(folder)
  end)

  local function command_of(words, environment)
    local list = { "unset LUA_PATH LUA_CPATH LUA_INIT; cd " .. folder .. " &&",
      "STARVIDEOS_API_KEY=key STARVIDEOS_BASE_URL=http://127.0.0.1:1 " }
    for name, value in pairs(environment) do
      list[#list + 1] = name .. "=" .. shell.quote((value:gsub("@folder@", folder)))
    end
    list[#list + 1] = "timeout 3 " .. COMMAND .. " " .. words:gsub("@order@",
      "--model videos --prompt x --duration 5") .. " </dev/null 2>&1"
    return table.concat(list, " ")
  end

  local function run(words, environment)
    return shell.read(command_of(words, environment))
  end

  -- All of them side by side, for some wait until they are stopped.
  local function run_all(environment)
    local commands = {}
    for index, words in ipairs(RUNS) do
      commands[index] = "( " .. command_of(words, environment) .. " ) &"
    end
    return shell.read(table.concat(commands, " ") .. " wait")
  end

  it("runs nothing of the folder that it is called in", function()
    files.write(folder .. "/trace.lua", (TRACE:gsub("@folder@", folder)))
    run_all { LUA_INIT = "@" .. folder .. "/trace.lua" }
    local count = 0
    for name in files.read(folder .. "/names"):gmatch "[^\n]+" do
      local path = folder .. "/" .. name:gsub("%.", "/")
      shell.run("mkdir -p " .. path)
      for _, file in ipairs { path .. ".lua", path .. "/init.lua" } do
        files.write(file, ('io.open("%s/ran", "a"):write("%s\\n")'):format(folder, name))
      end
      files.write(path .. ".so", "x")
      count = count + 1
    end
    assert.is_true(count > 100, count)
    for _, environment in ipairs { {}, FOREIGN, VERSIONED } do
      local text = run_all(environment)
      -- What dlopen says of such a file, and what is said of a module that fails.
      for _, words in ipairs { "too short", "needs the Lua module" } do
        assert.is_nil(text:find(words, 1, true), text)
      end
    end
    assert.is_nil(files.read(folder .. "/ran"))
  end)

  for _, row in ipairs(SPELLINGS) do
    it("keeps absolute templates alone, where folders are parted by " .. row[1], function()
      files.write(folder .. "/prints.lua", PRINTS:format(row[1], row[2], row[2]))
      local text = run("", { LUA_INIT = "@" .. folder .. "/prints.lua" })
      local lines, own = 0, { 2, 1 } -- of the launcher's own, which come first
      for line in text:gmatch "[^\n]+" do
        lines = lines + 1
        local templates = {}
        for template in line:gmatch "[^;]+" do
          templates[#templates + 1] = template
        end
        assert.equal(row[3], table.concat(templates, ";", own[lines] + 1), text)
      end
      assert.equal(2, lines, text)
    end)
  end

  it("sees to it that the ledger's thread does not either", function()
    local text = run("status --ledger a.db --json", FOREIGN)
    assert.truthy(text:find('"states"', 1, true), text)
  end)
end)

describe("a library in a host", function()
  it("leaves the host's search paths alone", function()
    local before = { package.path, package.cpath }
    local client = assert(require("starvideos").new { api_key = "k",
      ledger = files.folder() .. "/a.db" })
    assert(client:status())
    client:close()
    assert.same(before, { package.path, package.cpath })
    assert.truthy(curl)
  end)
end)
