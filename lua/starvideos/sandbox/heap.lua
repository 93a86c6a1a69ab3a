--- Numbers in a store, the smallest first: when the open tasks of an account
-- end. Where several workers share the store, the caller holds its lock.
-- @module starvideos.sandbox.heap

local _M = {}

--- How many there are.
-- @tparam table store
-- @tparam string name
-- @treturn number
function _M.size(store, name)
  return store:get(name) or 0
end

local function key_of(name, place)
  return name .. ":" .. place
end

--- The smallest.
-- @tparam table store
-- @tparam string name
-- @treturn ?number
function _M.first(store, name)
  return store:get(key_of(name, 1))
end

--- Add one.
-- @tparam table store
-- @tparam string name
-- @tparam number value
function _M.push(store, name, value)
  local place = _M.size(store, name) + 1
  store:set(name, place)
  while place > 1 do
    local above = math.floor(place / 2)
    local other = store:get(key_of(name, above))
    if other <= value then
      break
    end
    store:set(key_of(name, place), other)
    place = above
  end
  store:set(key_of(name, place), value)
end

-- The smaller of the two below a place.
local function below(store, name, place, size)
  local left = 2 * place
  local value = left <= size and store:get(key_of(name, left))
  local other = left < size and store:get(key_of(name, left + 1))
  if other and other < value then
    return left + 1, other
  end
  return left, value
end

--- Remove the smallest.
-- @tparam table store
-- @tparam string name
function _M.pop(store, name)
  local size = _M.size(store, name)
  local value, place = store:get(key_of(name, size)), 1
  store:set(key_of(name, size), nil)
  size = size - 1
  store:set(name, size)
  local lower, other = below(store, name, place, size)
  while other and other < value do
    store:set(key_of(name, place), other)
    place = lower
    lower, other = below(store, name, place, size)
  end
  if size > 0 then
    store:set(key_of(name, place), value)
  end
end

return _M
