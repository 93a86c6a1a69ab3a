-- What the sandbox remembers: in a Lua table, or in nginx over a shared dict, so that all
-- workers agree. Values are strings and numbers, lists only grow.

local Store = {}
Store.__index = Store

function Store.new()
  return setmetatable({ values = {}, lists = {} }, Store)
end

function Store:get(key)
  return self.values[key]
end

-- Nil removes a key.
function Store:set(key, value)
  self.values[key] = value
end

-- Add one to a counter, which starts at 0.
function Store:count(key)
  self.values[key] = (self.values[key] or 0) + 1
  return self.values[key]
end

function Store:push(name, value)
  local list = self.lists[name] or {}
  self.lists[name] = list
  list[#list + 1] = value
end

function Store:item(name, position)
  return (self.lists[name] or {})[position]
end

-- Call `body` while no other worker holds the lock of this name; here there is no other.
function Store:locked(_, body) -- luacheck: no self
  return body()
end

function Store:clear()
  self.values, self.lists = {}, {}
end

-- luacheck: globals ngx

-- A worker that ends while it holds a lock leaves it for so many seconds.
local LOCKED_SECONDS, RETRY_SECONDS = 2, 0.001

local Dict = {}
Dict.__index = Dict

-- A store over a dict such as `ngx.shared.sandbox`.
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
