--- Keeps a worker alive: sends its heartbeats, gives it another place among the
-- workers where it was taken for dead, and wakes the coroutines that wait beside
-- it.
-- @classmod starvideos.fleet.heartbeat

local workers = require "starvideos.fleet.worker"

local _M = {}

--- Seconds between two 429 that other workers are told of at once.
_M.tell_seconds = 2

local Heart = {}
Heart.__index = Heart

--- Sleep until `wake`: what happened before counts, too.
-- @tparam string name of the sleeper, of which there is one
-- @tparam number seconds
-- @treturn ?boolean true
-- @treturn ?string as of the runtime's `sleep`
function Heart:doze(name, seconds)
  local runtime = self.context.runtime
  local who = runtime:waiter()
  if self.news[name] then
    seconds = 0
  end
  self.news[name] = nil
  if not who then -- nobody could wake it
    return runtime:sleep(math.min(seconds, 1))
  end
  self.dozing[name] = who
  local ok, why = runtime:wait(who, seconds)
  self.dozing[name], self.news[name] = nil, nil
  runtime:leave(who)
  return ok, why
end

--- Wake a sleeper, or keep it from sleeping.
-- @tparam string name
function Heart:wake(name)
  self.news[name] = true
  if self.dozing[name] then
    self.context.runtime:wake(self.dozing[name])
  end
end

-- Takes a place among the workers.
local function register(self)
  local told_at = -math.huge
  local worker, err = workers.new(self.context, function()
    local now = self.context.runtime:now()
    if now >= told_at + _M.tell_seconds then
      told_at = now
      self:wake "beat"
    end
  end)
  self.worker = worker or self.worker
  return worker and true, err
end

--- Send a heartbeat.
-- @treturn ?boolean true
function Heart:beat()
  local worker = self.worker
  self.beaten = worker.count
  local ok = worker:beat()
  if worker.is_over and not self.is_ending and register(self) then
    self.on_fenced(worker)
    ok = self.worker:beat()
  end
  return ok
end

--- Send one soon where the worker has got many orders: for its share of the polls.
function Heart:grow()
  if self.worker.count > 2 * self.beaten + 5 then
    self:wake "beat"
  end
end

--- Send heartbeats until `stop`, or until the caller's waits are to end.
-- @tparam ?boolean alive whether the last one was sent
-- @tparam function beat sends one, as `beat` does
-- @treturn ?string why the waits are to end
function Heart:run(alive, beat)
  while not self.is_ending do
    local pause = workers.policy[alive and "heartbeat" or "retry"]
    local ok, why = self:doze("beat", pause * (0.9
      + 0.1 * self.context.random()))
    if not ok then
      self.is_ending = true
      self.worker:drain()
      return why
    end
    alive = self.is_ending or beat()
  end
end

--- Send no more heartbeats.
function Heart:stop()
  self.is_ending = true
  self:wake "beat"
end

--- Take a place among the workers.
-- @tparam table context of a client with a ledger
-- @tparam function on_fenced called with the worker that was taken for dead, when
--   there is another one
-- @treturn ?table heart, with `worker`, see `starvideos.fleet.worker`
-- @treturn ?table err
function _M.new(context, on_fenced)
  local self = setmetatable({ context = context, on_fenced = on_fenced,
    beaten = 0, is_ending = false, news = {}, dozing = {} }, Heart)
  local ok, err = register(self)
  return ok and self, err
end

return _M
