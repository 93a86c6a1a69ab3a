-- Measures waits in processes of their own: one under LuaJIT, one under Lua 5.4,
-- side by side, for neither needs much of the machine.

local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"

local _M = {}

local LUAS = { "luajit", "lua5.4" }

local COMMAND = [[
eval "$(MAKEFLAGS= make -s env LUA=%s BUILD=%s)"
exec timeout 300 %s spec/bench/hosts/waits_once.lua '%s' '%s' '%s' %s]]

local function begin(server, ids_file, lua, run)
  local build = os.getenv("BUILD") or "build"
  return assert(io.popen(COMMAND:format(lua, build .. "/" .. lua, lua,
    server.base_url, server.ca_file, ids_file, run.how)))
end

local function show(name, found, run)
  local met = figure.print(name .. "_bytes", found.bytes, "bytes", run.bytes)
  met = figure.print(name .. "_lua_bytes", found.lua_bytes, "bytes", run.lua_bytes)
    and met
  figure.print(name .. "_polls", found.polls, "polls")
  met = figure.print(name .. "_late_p999", found.late_p999, "s", run.late)
    and met
  met = figure.print(name .. "_late_most", found.late_most, "s", run.late)
    and met
  return figure.print(name .. "_processor", found.processor, "%",
    run.processor)
    and met
end

--- Measure waits.
-- @tparam table server with `base_url`, `ca_file` and `prefix`
-- @tparam table ids one wait for each
-- @tparam table run `name`, `how` (as of waits_once) and the goals `bytes` and `lua_bytes`,
--   `late` (seconds) and `processor` (per cent of one)
-- @treturn boolean whether every goal is met
function _M.measure(server, ids, run)
  local ids_file = server.prefix .. "/ids"
  files.write(ids_file, table.concat(ids, "\n"))
  local processes = {}
  for index, lua in ipairs(LUAS) do
    processes[index] = begin(server, ids_file, lua, run)
  end
  local met = true
  for index, lua in ipairs(LUAS) do
    local line = processes[index]:read("*a")
    processes[index]:close()
    local found = assert(json.decode(line), lua .. " printed " .. line)
    met = show(("%s_%s"):format(run.name, lua), found, run) and met
  end
  return met
end

return _M
