--- Look at a task once.
-- @module starvideos.wait.query

local fetch_task = require "starvideos.wait.fetch_task"

--- Look at a task once.
-- @tparam table context of the client
-- @tparam string id
-- @tparam[opt] number timeout seconds, at most the client's own
-- @tparam[opt] number max_age seconds: an answer in the shared cache that is
--   not older is returned without a request
-- @treturn ?table task, a failed one too
-- @treturn ?table err
return function(context, id, timeout, max_age)
  local task, err = max_age and fetch_task.cached(context, id, max_age), nil
  if not task then
    task, err = fetch_task.ask(context, id, timeout)
  end
  return task, err
end
