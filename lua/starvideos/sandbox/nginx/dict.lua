--- What the sandbox remembers, in a shared dict of nginx.
-- The interface of `starvideos.sandbox.store`, the same for all workers.
-- @classmod starvideos.sandbox.nginx.dict

-- luacheck: globals ngx
local ngx = ngx

-- For this many seconds at most, should a worker end while it holds a lock.
local LOCKED_SECONDS, RETRY_SECONDS = 2, 0.001

local Dict = {}
Dict.__index = Dict

--- A store over a shared dict.
-- @tparam table dict such as `ngx.shared.sandbox`
function Dict.new(dict)
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

return Dict
