--- Look at a task once.
-- @module starvideos.operation.query

local answer = require "starvideos.polling.observe"
local shared_cache = require "starvideos.polling.shared_cache"
local exchange = require "starvideos.api.exchange"
local operations = require "starvideos.api.operations"

--- Look at a task once. Where processes share what they know, the others are
-- told.
-- @tparam table context of the client
-- @tparam string id
-- @tparam[opt] number timeout seconds, at most the client's own
-- @tparam[opt] number max_age seconds: what is known and not older is answered
--   without a request
-- @tparam[opt] string known what was answered last, as JSON, of a task that
--   had not ended
-- @treturn ?table task, a failed one too; true where the answer is what is
--   `known`, which nobody has to read again
-- @treturn ?table err
-- @treturn ?string what was answered, as JSON
-- @treturn ?number when, as the cache has it
return function(context, id, timeout, max_age, known)
  local cache = shared_cache.of(context)
  if cache and max_age then
    local task, text, at = cache:task(id, max_age)
    if task then
      return task, nil, text, at
    end
  end
  local response, err = exchange.call(context, operations.query,
    { task_id = id, timeout = timeout })
  if not response then
    return nil, err
  end
  local task, refused = true, nil
  if response.body ~= known or response.status ~= 200 then
    task, refused = answer(context, id, response)
  end
  if not task then
    return nil, refused
  end
  return task, nil, response.body, cache and cache:put(id, response.body)
end
