--- The answer to a query becomes a task, and the ledger hears of it.
-- @module starvideos.polling.observe

local exchange = require "starvideos.api.exchange"
local operations = require "starvideos.api.operations"
local redact = require "starvideos.redact"
local task_reader = require "starvideos.api.task_reader"

-- That a task has ended is for the ledger too; where that cannot write it
-- down, the one who asked still gets the answer.
local function note(context, task)
  local ok, err = context.ledger:seen(task)
  if not ok then
    exchange.tell_of_ledger(context, err)
  end
end

--- Take the answer to a query.
-- @tparam table context of the client
-- @tparam string id of the task
-- @tparam table http `status`, `headers`, `body`
-- @treturn ?table task, a failed one too
-- @treturn ?table err
return function(context, id, http)
  local task, refused = task_reader.read(operations.query, http,
    context.wall_clock, id)
  if not task then
    refused.task_id = refused.task_id or id
    return nil, refused
  end
  task.error = redact.key(task.error, context.api_key)
  if context.ledger then
    note(context, task)
  end
  return task
end
