--- Watches over an exchange in a light thread of its own: no single step of it
-- knows the time of all, or that the caller is gone.
-- @module starvideos.transport.resty_http.watch

-- luacheck: read globals ngx

local _M = {}

-- Between looks whether the caller is still there.
local LOOK_SECONDS = 0.5

local function pause(seconds)
  ngx.sleep(seconds)
end

-- Why an exchange is to end now.
local function verdict(state)
  local now = state.now()
  if state.end_by and now >= state.end_by then
    return { reason = "timeout", message = "the time is up" }
  elseif state.connect_by and now >= state.connect_by then
    return { reason = "timeout",
      message = "no connection came about in time" }
  elseif not state.req.finish and coroutine.status(state.caller) == "dead" then
    return { reason = "cancelled", message = "the caller is gone" }
  end
end

-- One that waits within a coroutine of lua-resty-http's must not be killed:
-- what it waits for would wake the dead. It ends by itself, with the next
-- piece or at once.
local function give_up(state, worker, failure)
  state.over = true
  if state.endable then
    ngx.thread.kill(worker)
  elseif state.http then
    state.http:set_timeouts(1, 1, 1)
  end
  state:clean()
  state.ok = true
  state.response, state.failure = state:fail(failure)
end

local function next_look(state)
  local now = state.now()
  return math.max(0.001, math.min(LOOK_SECONDS,
    (state.end_by or math.huge) - now, (state.connect_by or math.huge) - now))
end

-- The work itself. Whatever comes of it, nothing stays open.
local function work(state, run)
  local ok, response, failure = pcall(run, state)
  if not ok or not response then
    state:close()
    state:clean()
  end
  if not state.over then
    state.ok, state.response, state.failure = ok, response, failure
    state.done = true
  end
end

local function watch(state, run)
  local worker = ngx.thread.spawn(work, state, run)
  while not state.done do
    local timer = ngx.thread.spawn(pause, next_look(state))
    ngx.thread.wait(worker, timer)
    ngx.thread.kill(timer)
    local failure = verdict(state)
    if failure and not state.done then
      return give_up(state, worker, failure)
    end
  end
end

--- Run an exchange, and wait until it has ended or must.
-- @tparam table state of the exchange: `req`, `now` (clock), `end_by`,
--   `connect_by`, `endable` (it may be killed where it stands), and the
--   methods `fail`, `close`, `clean`; `over` is set where nobody waits any more
-- @tparam function run `(state) -> response | nil, failure`
-- @treturn ?table response
-- @treturn ?table failure
-- @raise what it raises
function _M.run(state, run)
  state.caller = coroutine.running()
  local watched, raised = ngx.thread.wait(ngx.thread.spawn(watch, state, run))
  if not watched or not state.ok then
    error(watched and state.response or raised, 0)
  end
  return state.response, state.failure
end

return _M
