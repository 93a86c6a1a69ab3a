--- How many times something happened within the last so many seconds, and in the
-- worst such time, in a store. Where several workers share the store, the caller
-- holds its lock.
-- @module starvideos.sandbox.window

local _M = {}

local function forget_until(store, name, time)
  local first = store:get(name .. ":first") or 1
  local at = store:get(name .. ":" .. first)
  while at and at <= time do
    store:set(name .. ":" .. first, nil)
    first = first + 1
    at = store:get(name .. ":" .. first)
  end
  store:set(name .. ":first", first)
  return first, at
end

--- Look at it.
-- @tparam table store
-- @tparam string name
-- @tparam number now
-- @tparam number seconds its length
-- @treturn number how often since then
-- @treturn ?number when the oldest of these was
function _M.count(store, name, now, seconds)
  local first, at = forget_until(store, name, now - seconds)
  return (store:get(name .. ":last") or 0) - first + 1, at
end

--- Add one.
-- @tparam table store
-- @tparam string name
-- @tparam number now
-- @tparam number seconds its length
-- @treturn number how often since then, this one included
function _M.add(store, name, now, seconds)
  local last = (store:get(name .. ":last") or 0) + 1
  store:set(name .. ":last", last)
  store:set(name .. ":" .. last, now)
  local count = _M.count(store, name, now, seconds)
  store:set(name .. ":most", math.max(_M.most(store, name), count))
  return count
end

--- The most that there were within its length.
-- @tparam table store
-- @tparam string name
-- @treturn number
function _M.most(store, name)
  return store:get(name .. ":most") or 0
end

return _M
