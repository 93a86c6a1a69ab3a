--- A query: how a task stands.
-- @module starvideos.sandbox.query

local answer = require "starvideos.sandbox.answer"
local reply = require "starvideos.sandbox.reply"
local scenarios = require "starvideos.sandbox.scenario"
local tasks = require "starvideos.sandbox.task"

local _M = {}

local function regular(box, task, now, entry)
  if not task then
    return nil
  end
  if now.status == "completed" then
    now.video_url = tasks.link(box, task, entry and entry.expired)
  end
  return reply.regular(box, entry, answer.result(task, now))
end

--- Answer a query.
-- @tparam table box
-- @tparam table request
-- @tparam string id decoded
-- @treturn table response
function _M.handle(box, request, id)
  if not box:knows_key(request) then
    return answer.bad_key()
  end
  box.record:query(id)
  local task = box:task(id)
  local now = task and tasks.now(box, task)
  local entry, n = scenarios.meet(box.store, box:scenarios_of(task), "query",
    id, now and now.status)
  local response = regular(box, task, now, entry) or answer.no_task(id)
  return reply.shaped(box, entry, n, response)
end

return _M
