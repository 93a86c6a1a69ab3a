--- Many orders at once at a provider that takes its time for each: most of them
-- wait for a slot for longer than an answer may take.

local answers = require "spec.faults.answers"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local http1 = require "spec.faults.http1"
local starvideos = require "starvideos"

local _M = {}

_M.orders, _M.slots = 24, 4
-- For an answer, and the client's limit for that.
local ANSWER_MS, LIMIT = 200, 0.8
local LONGEST, LOOK = 20, 0.005

local function plan(server)
  local http, scripts = http1.new(), {}
  for index = 1, _M.orders do
    local task = answers.right(server.url).create
    local body = task.body:gsub(answers.id, "video_" .. index)
    scripts[index] = { http:request(), { "pause", ANSWER_MS },
      http:answer { status = 200, body = body }, { "fin" } }
  end
  server:plan(scripts)
end

local function order_all(client)
  local handles = {}
  for index = 1, _M.orders do
    handles[index] = client:async(client.create, client, { model = "videos",
      duration = 4, prompt = "a kite" }, { key = "scene-" .. index })
  end
  return handles
end

local function is_done(handles)
  for _, handle in ipairs(handles) do
    if not handle.done then
      return false
    end
  end
  return true
end

--- Order.
-- @tparam table server
-- @tparam number cancelled how many of them, the last, are cancelled at once
-- @treturn table how many came to what: a kind of error, or `accepted`
-- @treturn table record of the server
function _M.order(server, cancelled)
  plan(server)
  local ledger = server.folder .. "/crowd.db"
  os.remove(ledger)
  local client = assert(starvideos.new { api_key = answers.key,
    base_url = server.url, ledger = ledger, runtime = "frame",
    timeout = LIMIT, max_creates = _M.slots, max_in_flight = _M.slots })
  local handles, clock = order_all(client), curl.network { inline = true }
  for index = 1, cancelled do
    handles[_M.orders + 1 - index]:cancel()
  end
  local give_up = core.now() + LONGEST
  while not is_done(handles) and core.now() < give_up do
    client:update(1000)
    clock:step(LOOK)
  end
  clock:close()
  client:close()
  local came_to = {}
  for _, handle in ipairs(handles) do
    local what = handle.err and handle.err.kind or "accepted"
    came_to[what] = (came_to[what] or 0) + 1
  end
  return came_to, server:record()
end

return _M
