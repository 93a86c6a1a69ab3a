-- Limits how many creates of a client are on the wire. The others wait for a slot, in
-- the order in which they came: they are not sent yet and can be cancelled. The time
-- limit of a create begins when it gets its slot.
--
-- Who waits is a runtime's waiter: see its `waiter`, `wait`, `wake`, `has_ended` and
-- `leave`.

local _M = {}

local Slots = {}
Slots.__index = Slots

--- How many creates may be on the wire, each with a TLS connection of its own:
-- nginx, a provider and a line of medium speed can take so many.
_M.default = 32

-- Seconds after which a waiting create looks again though nobody woke it; and
-- between renewals of its order's lease in the ledger, which is longer.
local LOOK, RENEWAL = 5, 20

-- An error may end a coroutine, and nobody is told: a waiter that is gone loses
-- its slot and its place in the queue. Returns the first of the queue.
local function clear(self, runtime)
  for who in pairs(self.holders) do
    if runtime:has_ended(who) then
      self.holders[who], self.held = nil, self.held - 1
    end
  end
  local first = self.queue[self.first]
  while first and (first.left or runtime:has_ended(first.who)) do
    self.queue[self.first] = nil
    self.first = self.first + 1
    first = self.queue[self.first]
  end
  return first
end

-- Wakes the first of the queue, which takes the slot itself.
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

-- Renews what must not expire during the wait: when it was renewed last, or nil
-- and an err.
local function keep(runtime, renewed, renew, argument)
  local now = runtime:now()
  if now < renewed + RENEWAL then
    return renewed
  end
  local ok, err = renew(argument)
  return ok and now, err
end

-- Waits until the first of the queue may have a slot: true; or nil and an err
-- of `renew`, or nil, nil and why the wait ended.
local function wait(self, runtime, entry, renew, argument)
  local renewed = runtime:now()
  while clear(self, runtime) ~= entry or self.held >= self.limit do
    local ok, why = runtime:wait(entry.who, LOOK)
    if not ok then
      return nil, nil, why
    end
    renewed, why = keep(runtime, renewed, renew, argument)
    if not renewed then
      return nil, why
    end
  end
  self.holders[entry.who], self.held = true, self.held + 1
  return true
end

-- Wait for a slot. `renew`: called from time to time; where it returns nil and an err
-- the wait ends. Returns slot, for `release`, and err of `renew`, and why the wait
-- ended, as of the runtime's `sleep`.
function Slots:take(runtime, renew, argument)
  local who = runtime:waiter()
  if not who or self.holders[who] then -- an error ended its call
    return who or self
  end
  local entry = join(self, who)
  local ok, err, why = wait(self, runtime, entry, renew, argument)
  runtime:leave(who)
  leave(self, runtime, entry)
  return ok and who, err, why
end

-- Give a slot back. To do so again changes nothing.
function Slots:release(runtime, slot)
  if self.holders[slot] then
    self.holders[slot], self.held = nil, self.held - 1
    wake_next(self, runtime)
  end
end

-- Make the slots of a client. `limit`:  (default 32).
function _M.new(limit)
  return setmetatable({
    limit = limit or _M.default,
    holders = {}, held = 0,
    queue = {}, first = 1, last = 0,
  }, Slots)
end

return _M
