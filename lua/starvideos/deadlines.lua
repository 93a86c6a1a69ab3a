--- A binary heap of deadlines: whether one of ten thousand is reached costs a
-- single comparison.
-- @module starvideos.deadlines

local Deadlines = {}
Deadlines.__index = Deadlines

-- Three arrays instead of a table an entry: a sleeper costs three slots.
local function put(self, position, due, order, sleeper)
  self.sleepers[position] = sleeper
  self.orders[position] = order
  self.dues[position] = due
end

local function move(self, from, to)
  put(self, to, self.dues[from], self.orders[from], self.sleepers[from])
end

local function is_earlier(self, position, due, order)
  local other = self.dues[position]
  return other < due or other == due and self.orders[position] < order
end

--- Add a sleeper.
-- @tparam number due the runtime's seconds
-- @param sleeper anything; those due at the same time leave in the order
--   they came
function Deadlines:push(due, sleeper)
  self.count, self.order = self.count + 1, self.order + 1
  local position = self.count
  while position > 1 do
    local parent = math.floor(position / 2)
    if is_earlier(self, parent, due, self.order) then
      break
    end
    move(self, parent, position)
    position = parent
  end
  put(self, position, due, self.order, sleeper)
end

--- The earliest deadline.
-- @treturn ?number nil where nobody sleeps
-- @return whose it is
function Deadlines:earliest()
  return self.dues[1], self.sleepers[1]
end

-- Puts an entry where it belongs, from the top down.
local function sink(self, due, order, sleeper)
  local position = 1
  while true do
    local child = 2 * position
    if child > self.count then
      break
    elseif child < self.count and is_earlier(self, child + 1,
      self.dues[child], self.orders[child]) then
      child = child + 1
    end
    if not is_earlier(self, child, due, order) then
      break
    end
    move(self, child, position)
    position = child
  end
  put(self, position, due, order, sleeper)
end

--- Take out the earliest sleeper.
-- @return the sleeper, nil where there is none
-- @treturn ?number when it was due
function Deadlines:pop()
  local last = self.count
  if last == 0 then
    return nil
  end
  local first, due = self.sleepers[1], self.dues[1]
  local last_due, order, sleeper = self.dues[last], self.orders[last],
    self.sleepers[last]
  put(self, last, nil, nil, nil)
  self.count = last - 1
  if self.count > 0 then
    sink(self, last_due, order, sleeper)
  end
  return first, due
end

--- Make an empty heap.
-- @treturn table deadlines
return function()
  return setmetatable({ count = 0, order = 0, dues = {}, orders = {},
    sleepers = {} }, Deadlines)
end
