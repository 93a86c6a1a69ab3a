--- What one process knows of a task, for the others: a dictionary that they
-- share, such as one of nginx, holds the last answer and who is asking.
--
-- Who wants to ask lays claim to the task; the others read meanwhile what is
-- posted. A claim runs out by itself, for its owner may die. Neither the key
-- of the API nor a link stands in a name; what is posted holds signed links,
-- and is for the dictionary alone.
-- @module starvideos.polling.shared_cache

local answer = require "starvideos.polling.observe"
local policy = require "starvideos.polling.policy"

local _M = {}

local SharedCache = {}
SharedCache.__index = SharedCache

-- Tells clients of different accounts apart, and nothing of their keys.
local function fingerprint(text)
  local sum = 1
  for index = 1, #text do
    sum = (sum * 31 + text:byte(index)) % 2147483647
  end
  return ("%08x"):format(sum)
end

--- The cache of a client.
-- @tparam table context of the client; `shared` is the dictionary, with
--   `get(key)`, `set(key, value, seconds)` and `add(key, value, seconds)`,
--   where it has one `delete(key)`, as ngx.shared.DICT knows them
-- @treturn ?table cache, nil where nothing is shared
function _M.of(context)
  if context.shared and not context.shared_cache then
    context.shared_cache = setmetatable({
      context = context,
      dictionary = context.shared,
      realm = ("%s %s "):format(context.base_url,
        fingerprint(context.api_key or "")),
    }, SharedCache)
  end
  return context.shared_cache
end

local function answer_key(self, id)
  return "starvideos task " .. self.realm .. id
end

local function claim_key(self, id)
  return "starvideos claim " .. self.realm .. id
end

--- Post what the provider has answered.
-- @tparam string id of the task
-- @tparam string text JSON
-- @treturn number when, as `task` will tell
function SharedCache:put(id, text)
  local at = ("%.3f"):format(self.context.wall_clock())
  self.dictionary:set(answer_key(self, id), at .. " " .. text,
    policy.cache_seconds)
  return tonumber(at)
end

--- Seconds since something was posted.
-- @tparam number at when
-- @treturn number
function SharedCache:age(at)
  return math.max(0, self.context.wall_clock() - at)
end

-- The last answer and when it came; nil where there is none.
local function latest(self, id)
  local posted = self.dictionary:get(answer_key(self, id))
  if type(posted) ~= "string" then
    return nil
  end
  local at, text = posted:match("^(%d+%.%d+) (.*)$")
  return text, tonumber(at)
end

local function read(self, id, text)
  return (answer(self.context, id, { status = 200, headers = {},
    body = text }))
end

--- What is known of a task.
-- @tparam string id
-- @tparam number max_age seconds
-- @treturn ?table task, nil where nothing is known or it is older
-- @treturn ?string the same as JSON
-- @treturn ?number when it was posted
function SharedCache:task(id, max_age)
  local text, at = latest(self, id)
  if not text or self:age(at) > max_age then
    return nil
  end
  return read(self, id, text), text, at
end

--- What has become known of a task.
-- @tparam string id
-- @tparam ?number since when the caller last heard of it
-- @treturn ?table task, nil where there is nothing new
-- @treturn ?string the same as JSON
-- @treturn ?number when it was posted
function SharedCache:news(id, since)
  local text, at = latest(self, id)
  if not text or since and at <= since then
    return nil
  end
  return read(self, id, text), text, at
end

--- Whether somebody else is about to ask for a task.
-- @tparam string id
-- @tparam ?string own the caller's claim
-- @treturn boolean
function SharedCache:is_claimed(id, own)
  local holder = self.dictionary:get(claim_key(self, id))
  return holder ~= nil and holder ~= own
end

--- Lay claim to a task, or keep one's claim.
-- @tparam string id
-- @tparam ?string own the claim that the caller has
-- @tparam number seconds after which it runs out
-- @treturn ?string the claim; an empty one, of which nobody knows, where the
--   dictionary is full; nil: another has it
function SharedCache:claim(id, own, seconds)
  local dictionary, key = self.dictionary, claim_key(self, id)
  if own and dictionary:get(key) == own then
    dictionary:set(key, own, seconds)
    return own
  end
  local context = self.context
  own = ("%.6f %.9f"):format(context.runtime:now(), context.random())
  local ok, why = dictionary:add(key, own, seconds)
  if ok then
    return own
  end
  return why ~= "exists" and "" or nil
end

--- Give a claim back.
-- @tparam string id
-- @tparam string own the claim
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
