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

-- luacheck: globals ngx

-- Seconds that a lock stays at most, should its worker end while it holds it.
local LOCKED_SECONDS, RETRY_SECONDS = 2, 0.001

local Dict = {}
Dict.__index = Dict

--- A store over a shared dict of nginx, the same for all workers.
-- @tparam table dict such as `ngx.shared.sandbox`
function Store.shared(dict)
  return setmetatable({ dict = dict }, Dict)
end

function Dict:get(key)
  return self.dict:get(key)
end

-- A plain set would drop old tasks silently when the dict is full.
function Dict:set(key, value)
  if value == nil then
    self.dict:delete(key)
    return
  end
  local done, why = self.dict:safe_set(key, value)
  if not done then
    error("the sandbox's memory is full (option memory): " .. why)
  end
end

function Dict:count(key)
  return assert(self.dict:incr(key, 1, 0))
end

function Dict:push(name, value)
  self:set(name .. "#" .. self:count(name .. "#"), value)
end

function Dict:item(name, position)
  return self.dict:get(name .. "#" .. position)
end

-- Whoever holds it does not wait for anything, so that others hardly do.
function Dict:locked(name, body)
  while not self.dict:add(name, true, LOCKED_SECONDS) do
    ngx.sleep(RETRY_SECONDS)
  end
  local done, result, more = pcall(body)
  self.dict:delete(name)
  if not done then
    error(result, 0)
  end
  return result, more
end

function Dict:clear()
  self.dict:flush_all()
  self.dict:flush_expired()
end

return Store
