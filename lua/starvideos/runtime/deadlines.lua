--- A binary heap of deadlines: the earliest is found at once, and ten
-- thousand sleepers cost no more than a comparison each time one looks.
-- @module starvideos.runtime.deadlines

local Deadlines = {}
Deadlines.__index = Deadlines

local function earlier(a, b)
  return a.due < b.due or a.due == b.due and a.order < b.order
end

--- Add a sleeper.
-- @tparam number due the runtime's seconds
-- @param sleeper anything; those due at the same time leave in the order
--   they came
function Deadlines:push(due, sleeper)
  self.order = self.order + 1
  local entry = { due = due, order = self.order, sleeper = sleeper }
  local position = #self + 1
  while position > 1 do
    local parent = math.floor(position / 2)
    if not earlier(entry, self[parent]) then
      break
    end
    self[position], position = self[parent], parent
  end
  self[position] = entry
end

--- The earliest deadline.
-- @treturn ?number nil where nobody sleeps
function Deadlines:earliest()
  return self[1] and self[1].due
end

local function sink(heap, entry)
  local position, size = 1, #heap
  while true do
    local child = 2 * position
    if child > size then
      break
    elseif child < size and earlier(heap[child + 1], heap[child]) then
      child = child + 1
    end
    if not earlier(heap[child], entry) then
      break
    end
    heap[position], position = heap[child], child
  end
  heap[position] = entry
end

--- Take out the earliest sleeper.
-- @return the sleeper, nil where there is none
function Deadlines:pop()
  local first = self[1]
  if not first then
    return nil
  end
  local last = table.remove(self)
  if #self > 0 then
    sink(self, last)
  end
  return first.sleeper
end

--- Make an empty heap.
-- @treturn table deadlines
return function()
  return setmetatable({ order = 0 }, Deadlines)
end
