-- What one process knows of a task, for the others: a dictionary that they share, such
-- as one of nginx, holds the last answer and who is polling.
--
-- A process claims the task that it is about to poll; the others read the cached answer
-- meanwhile. A claim expires, for its owner may be killed. Neither the API key nor a
-- link stands in the name of an entry; the answers hold signed links, and are for the
-- dictionary alone.

local c_locale = require "starvideos.base.c_locale"
local fingerprint = require "starvideos.base.fingerprint"

local _M = {}

-- Seconds.
local policy = {
  cache_seconds = 120, -- how long an answer is kept for other processes
  cache_shortest = 0.001, -- the shortest time a dictionary keeps something
  cache_look = 1, -- between looks at what another finds out about a task
}
_M.policy = policy

local SharedCache = {}
SharedCache.__index = SharedCache

-- Make the cache of a client. `context`: of the client; `shared` is the dictionary,
-- with `get(key)`, `set(key, value, seconds)` and `add(key, value, seconds)`, where it
-- has one `delete(key)`, as ngx.shared.DICT knows them.
function _M.new(context)
  return setmetatable({
    context = context,
    dictionary = context.shared,
    -- Tells clients of different accounts apart, and nothing of their keys.
    scope = ("%s %08x "):format(context.base_url,
      fingerprint.of(context.api_key or "")),
  }, SharedCache)
end

local function answer_key(self, id)
  return "starvideos task " .. self.scope .. id
end

local function claim_key(self, id)
  return "starvideos claim " .. self.scope .. id
end

-- Keep what the provider has answered. `id`: of the task. Returns when it was kept, as
-- `get` returns it.
function SharedCache:put(id, text)
  local at = c_locale.number("%.3f", self.context.wall_clock())
  self.dictionary:set(answer_key(self, id), at .. " " .. text,
    policy.cache_seconds)
  return c_locale.tonumber(at)
end

-- The last answer. `id`: of the task. Returns JSON, nil where there is none, and when
-- it was kept.
function SharedCache:get(id)
  local entry = self.dictionary:get(answer_key(self, id))
  if type(entry) ~= "string" then
    return nil
  end
  local at, text = entry:match("^(%d+%.%d+) (.*)$")
  return text, c_locale.tonumber(at)
end

-- Seconds since an answer was kept.
function SharedCache:age(at)
  return math.max(0, self.context.wall_clock() - at)
end

-- Whether another process is about to poll a task. `own`: the caller's claim.
function SharedCache:is_claimed(id, own)
  local holder = self.dictionary:get(claim_key(self, id))
  return holder ~= nil and holder ~= own
end

-- Claim a task, or renew one's claim. `own`: the claim that the caller has. `seconds`:
-- after which it expires. Returns the claim; an empty one, which no other process sees,
-- where the dictionary is full; nil: another process has it.
function SharedCache:claim(id, own, seconds)
  local dictionary, key = self.dictionary, claim_key(self, id)
  if own and dictionary:get(key) == own then
    dictionary:set(key, own, seconds)
    return own
  end
  local context = self.context
  own = c_locale.number("%.6f", context.runtime:now())
    .. " " .. c_locale.number("%.9f", context.random())
  local ok, why = dictionary:add(key, own, seconds)
  if ok then
    return own
  end
  return why ~= "exists" and "" or nil
end

-- Release a claim.
function SharedCache:release(id, own)
  local dictionary, key = self.dictionary, claim_key(self, id)
  if dictionary:get(key) ~= own then
    return
  elseif dictionary.delete then
    dictionary:delete(key)
  else
    dictionary:set(key, own, policy.cache_shortest)
  end
end

return _M
