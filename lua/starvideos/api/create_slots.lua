--- How many orders a client may have on the wire: the others wait for a slot,
-- in the order in which they came. What waits here was not sent, and may be
-- given up; whoever has a slot has the whole time for an answer.
--
-- Of who waits it knows what a runtime tells: `waiter`, `wait`, `wake`,
-- `is_gone`, `leave`.
-- @module starvideos.api.create_slots

local _M = {}

local Slots = {}
Slots.__index = Slots

--- As many as nginx, a provider and a line of medium width take at a time,
-- each with a TLS connection of its own.
_M.default = 32

-- Seconds between looks of one that waits and is not roused; and between
-- renewals of the claim of its order, well within a lease of the ledger.
local LOOK, RENEWAL = 5, 20

-- An error may end a coroutine where it stands, and nobody is told: what will
-- never go on neither holds a slot nor keeps others from one.
local function clear(self, runtime)
  for who in pairs(self.holders) do
    if runtime:is_gone(who) then
      self.holders[who], self.held = nil, self.held - 1
    end
  end
  local first = self.queue[self.first]
  while first and (first.left or runtime:is_gone(first.who)) do
    self.queue[self.first] = nil
    self.first = self.first + 1
    first = self.queue[self.first]
  end
  return first
end

-- The next one looks for himself.
local function wake_next(self, runtime)
  local first = clear(self, runtime)
  if first and self.held < self.limit then
    runtime:wake(first.who)
  end
end

local function join(self, who)
  local entry = { who = who }
  self.last = self.last + 1
  self.queue[self.last] = entry
  return entry
end

local function leave(self, runtime, entry)
  entry.left = true
  wake_next(self, runtime)
end

-- Renews what must not run out while one waits.
local function keep(runtime, renewed, renew)
  local now = runtime:now()
  if now < renewed + RENEWAL then
    return renewed
  end
  local ok, err = renew()
  return ok and now, err
end

-- Whether a place in the queue has become a slot; else an err of `renew`, or
-- why the waiting ended.
local function wait(self, runtime, entry, renew)
  local renewed = runtime:now()
  while clear(self, runtime) ~= entry or self.held >= self.limit do
    local ok, why = runtime:wait(entry.who, LOOK)
    if not ok then
      return false, nil, why
    end
    renewed, why = keep(runtime, renewed, renew)
    if not renewed then
      return false, why
    end
  end
  self.holders[entry.who], self.held = true, self.held + 1
  return true
end

--- Wait for a slot.
-- @tparam table runtime
-- @tparam function renew called from time to time; may return nil and an err,
--   which ends the waiting
-- @treturn ?table slot, for `release`
-- @treturn ?table err of `renew`
-- @treturn ?string why the waiting ended, as of the runtime's `sleep`
function Slots:take(runtime, renew)
  local who = runtime:waiter()
  if not who or self.holders[who] then -- an error ended its call
    return who or self
  end
  local entry = join(self, who)
  local has_one, err, why = wait(self, runtime, entry, renew)
  runtime:leave(who)
  leave(self, runtime, entry)
  return has_one and who or nil, err, why
end

--- Let the next one have a slot. Once is enough, and more do no harm.
-- @tparam table runtime
-- @tparam table slot
function Slots:release(runtime, slot)
  if self.holders[slot] then
    self.holders[slot], self.held = nil, self.held - 1
    wake_next(self, runtime)
  end
end

--- Make the slots of a client.
-- @tparam[opt=32] number limit
-- @treturn table slots
function _M.new(limit)
  return setmetatable({
    limit = limit or _M.default,
    holders = {}, held = 0,
    queue = {}, first = 1, last = 0,
  }, Slots)
end

return _M
