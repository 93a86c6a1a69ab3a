--- Watches over an exchange in a light thread of its own: no single step of it
-- knows the time limit of the whole, or that the caller was killed.
-- @module starvideos.host.resty_http.watch

-- luacheck: read globals ngx

local _M = {}

-- Between looks whether the caller is still there.
local LOOK_SECONDS = 0.5

-- Why an exchange is to end now.
local function verdict(state)
  if state.now() >= state.deadline then
    return { reason = "timeout", message = state.phase == "connect"
      and "no connection was made in time"
      or "not finished within the time allowed" }
  elseif not state.req.finish and coroutine.status(state.caller) == "dead" then
    return { reason = "cancelled", message = "the caller was killed" }
  end
end

-- One that reads a body waits in a coroutine of lua-resty-http's and must not
-- be killed: nginx would resume that coroutine later, and crash. It ends with
-- the next piece or with its time limit.
local function abandon(state, worker, failure)
  state.over = true
  if state.phase == "body" then
    state.http:set_timeouts(1, 1, 1)
  else
    ngx.thread.kill(worker)
  end
  state:close()
  state.outcome = { true, nil, failure }
end

-- Whatever comes of the exchange, nothing stays open.
local function work(state, run, ended)
  local ok, response, failure = pcall(run, state)
  if not ok or not response then
    state:close()
  end
  state.outcome = state.outcome or { ok, response, failure }
  ended:post()
end

local function watch(state, run)
  local ended = assert(require("ngx.semaphore").new())
  local worker = ngx.thread.spawn(work, state, run, ended)
  while not state.outcome do
    ended:wait(math.max(0.001, math.min(LOOK_SECONDS,
      state.deadline - state.now())))
    local failure = not state.outcome and verdict(state)
    if failure then
      abandon(state, worker, failure)
    end
  end
end

--- Run an exchange, and wait until it has ended or must.
-- @tparam table state of the exchange: `req`, `now` (clock), `deadline` (of
--   that clock, may be math.huge), `phase`, `http`, and the method `close`;
--   `over` is set where nobody waits any more
-- @tparam function run `(state) -> response | nil, failure`
-- @treturn ?table response
-- @treturn ?table failure
-- @raise what it raises
function _M.run(state, run)
  state.caller = coroutine.running()
  local watched, raised = ngx.thread.wait(ngx.thread.spawn(watch, state, run))
  if not watched or not state.outcome[1] then
    error(watched and state.outcome[2] or raised, 0)
  end
  return state.outcome[2], state.outcome[3]
end

return _M
