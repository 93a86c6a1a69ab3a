-- What is known of a task: the provider's answer, or one that another process got a
-- moment ago. Of every new status the ledger is told.

local errors = require "starvideos.errors"
local exchange = require "starvideos.provider.exchange"
local listener = require "starvideos.base.listener"
local operations = require "starvideos.provider.operations"
local answers = require "starvideos.provider.answer"
local tasks = require "starvideos.base.task"

local _M = {}

-- Where the ledger cannot write it down, the caller still gets the answer.
local function tell_ledger(context, task)
  local ok, err = context.ledger:seen(task)
  if not ok then
    listener.event(context, { name = "ledger", failure = tostring(err) })
  end
end

-- What no document knows, as it was told in this process: a change of the provider's API.
local told_unknown, MOST_TOLD, count = {}, 50, 0

-- Tell the listener and the ledger, once, of each status and field of an answer that no
-- document knows. `task`: made of the answer.
function _M.note_unknown(context, task)
  if count >= MOST_TOLD then
    return
  end
  for _, one in ipairs(tasks.unknown(task)) do
    local name = one.what .. " " .. one.word
    if not told_unknown[name] and count < MOST_TOLD then
      told_unknown[name], count = true, count + 1
      if context.ledger then
        context.ledger:unknown(one.what, one.word)
      end
      listener.event(context, { name = "unknown", what = one.what, word = one.word,
        task_id = task.id })
    end
  end
end

-- Some gateways name a task in another way than the provider did. But where the
-- answer names the task of another order, it is not this one's.
local function check_name(context, task, id)
  local named = answers.named(task)
  local other = context.ledger and named and named ~= id
    and context.ledger:own_of_task(named)
  if not other then
    return task
  end
  return nil, errors.new { kind = "protocol", message = ("the provider was asked"
    .. " for the task %s and answered with the task %s, which is that of the order"
    .. " %s: the answer was not taken"):format(id, named, other.order_key
    or other.order_id) }
end

-- Makes a task of an answer.
local function read(context, id, response, told)
  local task, refused = answers.read(operations.query, response,
    context.wall_clock, id)
  if task then
    task, refused = check_name(context, task, id)
  end
  if not task then
    refused.task_id = refused.task_id or id
    return nil, refused
  end
  if context.ledger and task.status ~= told then
    tell_ledger(context, task)
  end
  _M.note_unknown(context, task)
  return task
end

local function read_cached(context, id, text, told)
  return (read(context, id, { status = 200, headers = {}, body = text }, told))
end

-- Ask the provider once. Where processes share what they know, the others can read the
-- answer. `context`: of the client. `timeout`: seconds, at most the client's own.
-- `told`: the status that the ledger was told last; it is not told the same again.
-- Returns task, a failed one too, and when the answer came, as the shared cache has it.
function _M.ask(context, id, timeout, told)
  local response, err = exchange.ask(context, operations.query, id, timeout)
  if not response then
    return nil, err
  end
  local task, refused = read(context, id, response, told)
  if not task then
    return nil, refused
  end
  local cache = context.shared_cache
  return task, nil, cache and cache:put(id, response.body)
end

-- Read what the shared cache has of a task. `context`: of the client. Returns task, nil
-- where nothing is known or it is older.
function _M.cached(context, id, max_age)
  local cache = context.shared_cache
  if not cache then
    return nil
  end
  local text, at = cache:get(id)
  return text and cache:age(at) <= max_age and read_cached(context, id, text)
    or nil
end

-- The error of a task that ended without a video. `was_completed`: whether the caller saw
-- it completed before; else the ledger may know.
function _M.failure(context, task, was_completed)
  local row = task.status == "expired" and not was_completed and context.ledger
    and context.ledger:of_task(task.id) or nil
  return errors.task_failed(task, was_completed
    or row and (row.state == "completed" or row.state == "downloaded"))
end

-- Look at a task once. `context`: of the client. `timeout`: seconds, at most the
-- client's own. `max_age`: seconds: an answer in the shared cache that is not older is
-- returned without a request. Returns task, a failed one too.
function _M.query(context, id, timeout, max_age)
  local task, err = max_age and _M.cached(context, id, max_age), nil
  if not task then
    task, err = _M.ask(context, id, timeout)
  end
  return task, err
end

-- Read what the shared cache has got of a task since the caller last heard. `context`:
-- of a client with a shared cache. `since`: as of `ask`, or the time that this
-- returned. `told`: as of `ask`. Returns task, nil where there is nothing new, and when
-- the answer came.
function _M.newer(context, id, since, told)
  local text, at = context.shared_cache:get(id)
  if not text or since and at <= since then
    return nil
  end
  return read_cached(context, id, text, told), at
end

return _M
