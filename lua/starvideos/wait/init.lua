-- Wait for tasks: poll each at the provider's pace until it ends.

local deadlines = require "starvideos.base.deadlines"
local handle = require "starvideos.host.handle"
local watch = require "starvideos.wait.watch"

local _M = {}

local function sleep(plan, self, due)
  local runtime = plan.context.runtime
  local ok, why = runtime:sleep(math.max(0, due - runtime:now()))
  if ok then
    return watch.advance(plan, self, due)
  end
  return watch.stop(plan, self, why)
end

-- Wait for one task. `context`: of the client.
function _M.one(context, task_or_id, options)
  local runtime, plan = context.runtime, watch.plan(context, options)
  local self, what, value, err = watch.begin(plan, task_or_id, options)
  handle.show(runtime, what ~= watch.ENDED and function()
    return watch.progress(plan, self)
  end)
  while what ~= watch.ENDED do
    if what == watch.POLL then
      what, value, err = watch.poll(plan, self)
    else
      what, value, err = sleep(plan, self, value)
    end
  end
  return value, err
end

-- Many watches share one heap. One coroutine, the sleeper, sleeps until the
-- earliest is due, and has another one poll it. That one ends after its poll, or
-- sleeps, too, where its watch is due before the sleeper wakes: there are as many
-- coroutines as polls under way, and one. `wakes` has when each sleeper wakes,
-- the first to wake last; `taken` the watches whose coroutines, in nginx, have not
-- begun yet.

-- Where many wait, a process that woke for each of them would spend more on
-- waking than on polling: they are due together, on a beat. No deadline waits
-- for the beat.
local MANY, BEAT = 100, 0.1

-- Polls that a sleeper starts at once where no host wants its turn: to sleep for
-- no time between any two of them would take as long as they do.
local TURNS = 4

local function on_the_beat(plan, due)
  return math.min(math.ceil(due / BEAT) * BEAT, plan.deadline)
end

-- Of a pool each watch has the plan of those that joined it at the same time.
local function plan_of(self, one)
  return self.plans and self.plans[one] or self.plan
end

-- Puts a watch back into the heap, or hands over the result of one that ended.
local function put(self, one, what, value, err)
  local plan = plan_of(self, one)
  if what == watch.SLEEP and self.is_stopped then
    what, value, err = watch.stop(plan, one, "cancelled")
  end
  if what == watch.SLEEP then
    self.heap:push(plan.beat and on_the_beat(plan, value) or value, one)
    return
  end
  self.watches[one.id] = nil
  if self.plans then
    self.plans[one], self.count = nil, self.count - 1
  end
  self.on_end({ id = one.id, task = value, err = err }, self.also)
end

-- Ends all that are not polling. The runtime ends the polls, too, and the next
-- sleep of each of those.
local function end_all(self, why)
  local one = self.heap:pop()
  while one do
    put(self, one, watch.stop(plan_of(self, one), one, why))
    one = self.heap:pop()
  end
end

-- When the next watch is due; nil where a sleeper wakes for it.
local function next_due(self)
  local due = self.heap:earliest()
  local wakes = self.wakes[#self.wakes]
  return due and (not wakes or due < wakes) and due or nil
end

-- Sleeps until a watch is due, for no time where one is: where many are, the
-- host's other work goes on in between.
local function sleep_until(self, due)
  local runtime, wakes = self.context.runtime, self.wakes
  wakes[#wakes + 1] = due
  local ok, why = runtime:sleep(math.max(0, due - runtime:now()))
  local position = #wakes
  while wakes[position] ~= due do
    position = position - 1
  end
  table.remove(wakes, position)
  return ok, why
end

local function poll(self, one)
  put(self, one, watch.poll(plan_of(self, one), one))
end

-- Moves the earliest watch on. Where a sleeper must wake for others, another
-- coroutine polls it.
local function step(self, also)
  local one, reached = self.heap:pop()
  local what, value, err = watch.advance(plan_of(self, one), one, reached)
  if what ~= watch.POLL then
    put(self, one, what, value, err)
  elseif next_due(self) then
    self.taken[#self.taken + 1] = one
    also(self.poll)
  else
    poll(self, one)
  end
end

-- Moves on what is due, a few before others have their turn.
local function turn(self, due, also)
  local context = self.context
  local now = math.max(due, context.runtime:now())
  local left = context.blocks and TURNS or 1
  local earliest = self.heap:earliest()
  while earliest and earliest <= now and left > 0 do
    step(self, also)
    earliest, left = self.heap:earliest(), left - 1
  end
end

-- Moves watches on until another sleeper wakes for them.
local function lead(self, also)
  local due = next_due(self)
  while due do
    local ok, why = sleep_until(self, due)
    if ok then
      turn(self, due, also)
    else
      end_all(self, why)
    end
    due = next_due(self)
  end
end

local function id_of(item)
  return type(item) == "table" and item.id or item
end

-- Begins one watch for each task, however often the list has it.
local function begin(self, list, options, faults)
  for _, item in ipairs(list) do
    local id = id_of(item)
    if not self.results[id] and not self.watches[id] then
      self.count = self.count + 1
      if faults[id] then
        self.results[id] = { id = id, err = faults[id] }
      else
        local one, what, value, err = watch.begin(self.plan, item, options)
        self.watches[id] = one
        put(self, one, what, value, err)
      end
    end
  end
end

-- The results in the order of the list. Ctrl-C has ended the coroutine of a
-- watch that has none.
local function results_of(self, list)
  local results = {}
  for index, item in ipairs(list) do
    local id = id_of(item)
    local one = self.watches[id]
    if one then
      put(self, one, watch.stop(self.plan, one, "interrupted"))
    end
    results[index] = self.results[id]
  end
  return results
end

-- How far a wait for many has come.
local function progress(self)
  local waiting = 0
  for _ in pairs(self.watches) do
    waiting = waiting + 1
  end
  return { ended = self.count - waiting, count = self.count }
end

-- What waits for many have in common.
local function new(context, on_end)
  local self = { context = context, heap = deadlines(), watches = {}, count = 0,
    results = {}, wakes = {}, taken = {}, on_end = on_end }
  function self.lead(also)
    self.also = also
    return lead(self, also)
  end
  function self.poll(further)
    poll(self, table.remove(self.taken))
    return lead(self, further)
  end
  return self
end

-- Wait for many tasks at the same time. `context`: of the client. `list`: tasks or ids.
-- `faults`: by id: errors of those that cannot be waited for. `on_end`: gets each
-- result as soon as it is known, and a function that starts another coroutine beside
-- the waits; must not wait itself. The results are then not kept. Returns results in
-- the order of the list, each with `id` and `task` or `err`; the same id twice is
-- polled once.
function _M.all(context, list, options, faults, on_end)
  local self = new(context, on_end)
  self.plan = watch.plan(context, options, #list > MANY and BEAT or nil)
  self.on_end = on_end or function(ended)
    self.results[ended.id] = ended
  end
  begin(self, list, options, faults)
  handle.show(context.runtime, function()
    return progress(self)
  end)
  if self.heap:earliest() then
    context.runtime:gather { self.lead }
  end
  return results_of(self, list)
end

local Pool = {}
Pool.__index = Pool

-- Tasks that join within this time have one plan, and one deadline.
local JOINED_SECONDS = 1

local function plan_now(self)
  local now, plan = self.context.runtime:now(), self.plan
  if not plan or now > plan.began + JOINED_SECONDS
    or not plan.beat and self.count > MANY then
    self.plan = watch.plan(self.context, self.options,
      self.count > MANY and BEAT or nil)
  end
  return self.plan
end

-- Wait for one task more. `first_poll`: seconds until it is polled first; default as of
-- `client:wait`.
function Pool:add(task, first_poll)
  if self.is_stopped or self.watches[id_of(task)] then
    return
  end
  local plan = plan_now(self)
  local one, what, value, err = watch.begin(plan, task,
    { first_poll = first_poll })
  self.watches[one.id], self.plans[one] = one, plan
  self.count = self.count + 1
  put(self, one, what, value, err)
  if next_due(self) then
    self.also(self.lead)
  end
end

--- End all waits, without a word: their `on_end` gets errors of kind cancelled.
function Pool:stop()
  self.is_stopped = true
  end_all(self, "cancelled")
end

-- Waits that tasks may join at any time, as one heap. Each has a deadline of its own.
-- `context`: of the client. `also`: starts a coroutine beside the caller. `on_end`: as
-- of `all`.
function _M.pool(context, options, also, on_end)
  local self = setmetatable(new(context, on_end), Pool)
  self.options, self.also, self.plans = options, also, {}
  return self
end

return _M
