-- A binary heap of deadlines: whether one of ten thousand is reached costs a single
-- comparison. Sleepers that are due at the same time have one place in it: where ten
-- thousand are due on a beat, few deadlines are moved.

local floor = math.floor

local Deadlines = {}
Deadlines.__index = Deadlines

local function rise(dues, position, due)
  while position > 1 do
    local parent = floor(position / 2)
    local other = dues[parent]
    if other <= due then
      break
    end
    dues[position] = other
    position = parent
  end
  dues[position] = due
end

local function sink(dues, count, due)
  local position, child = 1, 2
  while child <= count do
    local other = dues[child]
    if child < count and dues[child + 1] < other then
      child = child + 1
      other = dues[child]
    end
    if due <= other then
      break
    end
    dues[position] = other
    position, child = child, 2 * child
  end
  dues[position] = due
end

-- Add a sleeper. `due`: the runtime's seconds. `sleeper`: anything; those due at the
-- same time leave in the order they came.
function Deadlines:push(due, sleeper)
  local queue = self.queues[due]
  if queue then
    queue.last = queue.last + 1
    queue[queue.last] = sleeper
  elseif self.firsts[due] ~= nil then
    self.queues[due] = { sleeper, first = 1, last = 1 }
  else
    self.firsts[due] = sleeper
    self.count = self.count + 1
    rise(self.dues, self.count, due)
  end
end

-- The earliest deadline. Returns nil where nobody sleeps, and whose it is.
function Deadlines:earliest()
  local due = self.dues[1]
  return due, due and self.firsts[due]
end

-- Takes the earliest deadline out of the heap.
local function remove(self)
  local dues, count = self.dues, self.count
  local last = dues[count]
  dues[count] = nil
  self.count = count - 1
  if count > 1 then
    sink(dues, count - 1, last)
  end
end

-- Take out the earliest sleeper. Returns the sleeper, nil where there is none, and when
-- it was due.
function Deadlines:pop()
  local due = self.dues[1]
  if not due then
    return nil
  end
  local sleeper, queue = self.firsts[due], self.queues[due]
  if not queue then
    self.firsts[due] = nil
    remove(self)
    return sleeper, due
  end
  local first = queue.first
  self.firsts[due], queue[first], queue.first = queue[first], nil, first + 1
  if first == queue.last then
    self.queues[due] = nil
  end
  return sleeper, due
end

-- Make an empty heap.
return function()
  return setmetatable({
    count = 0, -- of different deadlines
    dues = {},
    firsts = {}, -- the first sleeper of each
    queues = {}, -- and those behind it
  }, Deadlines)
end
