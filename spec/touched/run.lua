-- Counts the files that a warm `create` runs in: the second order of a client, on
-- the runtime `block`, without a ledger and with one of SQLite. In Lua those in
-- which a function is called; in C those in which one is called more often with two
-- orders than with one, as gcov counts in the build that BUILD names. Prints one
-- JSON object a line.
--
--   BUILD=build/touched/lua5.4 lua5.4 spec/touched/run.lua

local json = require "cjson"
local nginx = require "starvideos.sandbox.nginx"

local BUILD = assert(os.getenv "BUILD", "BUILD names no build with --coverage")
local OBJECTS = BUILD:match "^(.*)/" -- those of the bindings, and the common ones
local COVERED = "LUA_CPATH='" .. BUILD .. "/?.so;;' lua5.4 spec/touched/create.lua"

local function lines_of(command)
  local list, stream = {}, assert(io.popen(command))
  for line in stream:lines() do
    list[#list + 1] = line
  end
  assert(stream:close(), command)
  return list
end

-- How often each function of ours ran, by file and name.
local function calls_of(command)
  os.execute(("find %s -name '*.gcda' -delete"):format(OBJECTS))
  lines_of(command)
  local calls = {}
  for _, line in ipairs(lines_of(("find %s -name '*.gcda' -exec gcov --json-format"
    .. " --stdout {} +"):format(OBJECTS))) do
    for _, file in ipairs(json.decode(line).files) do
      for _, call in ipairs(file.file:find "^csrc/" and file.functions or {}) do
        local name = file.file .. " " .. call.name
        calls[name] = (calls[name] or 0) + call.execution_count
      end
    end
  end
  return calls
end

local function touched_in_c(command)
  local once, twice = calls_of(command:format(1)), calls_of(command:format(2))
  local seen, list = {}, {}
  for name, count in pairs(twice) do
    local file = name:match "^%S+"
    if count > (once[name] or 0) and not seen[file] then
      seen[file] = true
      list[#list + 1] = file
    end
  end
  return list
end

local function report(language, ledger, files)
  table.sort(files)
  print(json.encode { figure = "touched", language = language, ledger = ledger,
    count = #files, files = files })
end

local provider = assert(nginx.start { drawn = false })
local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir " .. folder))
local url = (" %s %s "):format(provider.base_url, provider.key)
report("lua", false, lines_of("lua5.4 spec/touched/create.lua" .. url .. "2"))
report("lua", true, lines_of("lua5.4 spec/touched/create.lua" .. url .. "2 "
  .. folder .. "/ledger.db"))
report("c", false, touched_in_c(COVERED .. url .. "%d"))
provider:stop()
os.execute("rm -rf " .. folder)
