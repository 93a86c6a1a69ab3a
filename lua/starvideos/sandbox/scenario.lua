-- Scenarios: odd answers and faults, asked for by name.
-- A marker in the prompt, `[scenario:NAME]` or `[scenario:NAME=N]`, gives a
-- scenario to that task's create, queries and media. `"NAME"`, `"NAME=N"` or several
-- with commas are the default of the whole sandbox; a marker goes before it.
--
-- N is how many requests of that place the scenario affects before all is
-- regular again (left out: the row's default, else all of them); for a scenario
-- that counts seconds, such as all those of a task's life, it is the seconds.

local c_locale = require "starvideos.base.c_locale"
local responses = require "starvideos.sandbox.response"
local scenarios = require "starvideos.sandbox.scenarios"

local _M = {}

local PLACES = { "life", "create", "query", "media" }

local BY_NAME = {}
for _, row in ipairs(scenarios) do
  BY_NAME[row.name] = row
end

-- Every scenario, as `starvideos.Scenario` in `starvideos.sandbox` describes it.
function _M.list()
  local list = {}
  for _, place in ipairs(PLACES) do
    for _, row in ipairs(scenarios) do
      if row[place] then
        list[#list + 1] = { name = row.name, what = row.what, place = place,
          counts = row.life and "seconds" or row.counts or "requests",
          default = row.default }
      end
    end
  end
  return list
end

-- Read `NAME`, `NAME=N` or several with commas into a list of `{ row, n }`; or nil and
-- the name that there is not.
function _M.parse(spec)
  local list = {}
  for item in (spec or ""):gmatch("[^,%s]+") do
    local name, n = item:match("^([%w_]+)=?([%d.]*)$")
    local row = BY_NAME[name]
    if not row then
      return nil, item
    end
    list[#list + 1] = { row = row, n = c_locale.tonumber(n) or row.default }
  end
  return list
end

-- The markers of a prompt as `parse` takes them; nil where it has none.
function _M.marked(prompt)
  if type(prompt) ~= "string" then
    return nil
  end
  local names = {}
  for item in prompt:gmatch("%[scenario:([^%]]*)%]") do
    names[#names + 1] = item
  end
  return names[1] and table.concat(names, ",")
end

-- Counting scenarios end after N requests for the same subject.
local function still_affects(store, found, place, subject)
  if found.row.counts == "seconds" or not found.n then
    return true
  end
  local key = ("affected:%s:%s:%s"):format(found.row.name, place, subject)
  return store:count(key) <= found.n
end

-- The effect on a request of the first scenario that has one, its N and its name. N is
-- counted by `subject`: a task's id, or the digest of a create's body.
function _M.effect_on(store, list, place, subject, status)
  for _, found in ipairs(list) do
    local effect = found.row[place]
    if effect and (not effect.only or effect.only == status)
      and still_affects(store, found, place, subject) then
      return effect, found.n, found.row.name
    end
  end
end

-- How the life of a task changes: a row's `life`, and N.
function _M.life(list)
  for _, found in ipairs(list) do
    if found.row.life then
      return found.row.life, found.n
    end
  end
end

-- The regular response, altered if the effect says how. `body` is not yet encoded.
function _M.alter(provider, effect, body)
  if effect and effect.alter then
    body = effect.alter(body, provider)
  end
  return responses.json(body)
end

local function value_of(value, provider)
  if type(value) == "function" then
    return value(provider)
  end
  return value
end

-- The effect's own body if it has one, else the regular response.
local function base(effect, provider, regular)
  local body = value_of(effect.body, provider)
  if body == nil then
    return regular or responses.json{}
  end
  if type(body) == "table" then
    return responses.json(body)
  end
  local response = responses.json{}
  response.body = body
  return response
end

-- How many seconds a response is delayed, or nil.
function _M.delay(provider, effect, n)
  if effect.delay then
    return effect.delay == "all" and n or n * provider.random()
  end
end

-- The response that an effect, or none, makes of the regular one.
function _M.apply(provider, effect, n, regular)
  if not effect then
    return regular
  end
  local response = base(effect, provider, regular)
  response.status = effect.status or response.status
  for name, value in pairs(value_of(effect.headers, provider) or {}) do
    response.headers[name] = value
  end
  response.delay = _M.delay(provider, effect, n)
  response.abort = effect.abort
  response.repeats = effect.repeats
  return response
end

return _M
