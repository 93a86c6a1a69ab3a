--- Scenarios: odd answers and faults, asked for by name.
-- A marker in the prompt, `[scenario:NAME]` or `[scenario:NAME=N]`, gives a
-- scenario to that task's create, queries and media; so does the default of the
-- whole sandbox, `"NAME"`, `"NAME=N"` or several with commas. A marker goes
-- before the default.
--
-- N is how many requests of that place the scenario affects before all is
-- regular again (left out: the row's default, else all of them); for a scenario
-- that counts seconds, such as all those of a task's life, it is the seconds.
--
-- To add a scenario, add one row to `starvideos.sandbox.scenarios`. Its name then
-- works in prompts, in `starvideos sandbox --scenario` and `--list-scenarios`, and
-- spec/unit/sandbox/scenario_spec.lua tries it; nothing else changes. A row has a
-- `name`; `what`, one line for the list; where wanted `counts` ("seconds") and
-- `default` (N); and an effect under the place it has it in:
--
--   * `life`: `ends`, the last status; `error`; `varies`: the task takes a
--     random part of N seconds;
--   * `create`, `query`:
--     * `made`: on a create, the order was accepted and billed although its
--       answer is lost;
--     * `status`, `headers`, `body`: the answer. The body may be a string, a
--       table (sent as JSON) or a function of the provider; without one the
--       regular answer is sent;
--     * `delay`: "all" = the answer waits for the scenario's N seconds, "some" =
--       for a random part of them;
--     * `abort`: "reset" = closed without an answer, "hang" = left without
--       one, "cut" = closed after half of the body;
--     * `repeats`: how many times the body is sent;
--     * `alter(body, provider)` changes the regular answer before it is encoded;
--     * `only`, the one status of the task in which a query is affected;
--       `id_prefix`, with which a created task's id begins; `expired`: a query
--       answers with a link that has expired;
--   * `media`: see `starvideos.sandbox.media`.
-- @module starvideos.sandbox.scenario

local c_locale = require "starvideos.base.c_locale"
local responses = require "starvideos.sandbox.response"
local scenarios = require "starvideos.sandbox.scenarios"

local _M = {}

local PLACES = { "life", "create", "query", "media" }

local BY_NAME = {}
for _, row in ipairs(scenarios) do
  BY_NAME[row.name] = row
end

--- Every scenario there is.
-- @treturn table array of `{ name =, what =, place = "life" | "create" |
--   "query" | "media", counts = "requests" | "seconds", default = N or nil }`
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

--- Read a specification.
-- @tparam ?string spec `NAME`, `NAME=N`, several with commas; nil = none
-- @treturn ?table array of `{ row =, n = }`; nil where a name is unknown
-- @treturn ?string the unknown name
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

--- The specification that a prompt's markers make.
-- @param prompt anything; only a string can hold markers
-- @treturn ?string
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

--- The effect of scenarios on a request: that of the first which has one.
-- @tparam table store where the counters are
-- @tparam table list as `parse` gives it
-- @tparam string place "create", "query" or "media"
-- @tparam string subject what N is counted by: an id, or a body's digest
-- @tparam ?string status the task's, where there is one
-- @treturn ?table effect
-- @treturn ?number N
-- @treturn ?string the scenario's name
function _M.effect_on(store, list, place, subject, status)
  for _, found in ipairs(list) do
    local effect = found.row[place]
    if effect and (not effect.only or effect.only == status)
      and still_affects(store, found, place, subject) then
      return effect, found.n, found.row.name
    end
  end
end

--- How a task's life is changed.
-- @tparam table list as `parse` gives it
-- @treturn ?table the row's `life`
-- @treturn ?number N
function _M.life(list)
  for _, found in ipairs(list) do
    if found.row.life then
      return found.row.life, found.n
    end
  end
end

--- The regular response, altered if the effect says how.
-- @tparam table provider
-- @tparam ?table effect
-- @tparam table body not yet encoded
-- @treturn table response
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

local delays = {
  all = function(n)
    return n
  end,
  some = function(n, provider)
    return n * provider.random()
  end,
}

--- How long a response is delayed.
-- @tparam table provider
-- @tparam table effect
-- @tparam ?number n the scenario's N
-- @treturn ?number seconds
function _M.delay(provider, effect, n)
  local delay = delays[effect.delay]
  return delay and delay(n, provider)
end

--- The response that an effect makes of the regular one.
-- @tparam table provider
-- @tparam ?table effect nil = none
-- @tparam ?number n the scenario's N
-- @tparam ?table regular the response without it
-- @treturn table response
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
