--- What the sandbox remembers, in a Lua table.
-- The in-process store, and the definition of the interface: values are strings
-- and numbers, lists only grow. The nginx host implements it over a shared
-- dict, so that all its workers agree.
-- @classmod starvideos.sandbox.store

local Store = {}
Store.__index = Store

--- A new, empty store.
function Store.new()
  return setmetatable({ values = {}, lists = {} }, Store)
end

--- The value of a key, or nil.
function Store:get(key)
  return self.values[key]
end

--- Set a key; nil removes it.
function Store:set(key, value)
  self.values[key] = value
end

--- Add one to a counter, which starts at 0.
-- @treturn number the new value
function Store:count(key)
  self.values[key] = (self.values[key] or 0) + 1
  return self.values[key]
end

--- Append to a list.
function Store:push(name, value)
  local list = self.lists[name] or {}
  self.lists[name] = list
  list[#list + 1] = value
end

--- The item of a list at a position, or nil.
function Store:item(name, position)
  return (self.lists[name] or {})[position]
end

--- Call a function that no other worker calls at the same time. Nothing is to do
-- here; a store that several share has a lock.
-- @tparam string _ name of the lock
-- @tparam function body
-- @return what it returns
function Store:locked(_, body) -- luacheck: no self
  return body()
end

--- Forget everything.
function Store:clear()
  self.values, self.lists = {}, {}
end

return Store
