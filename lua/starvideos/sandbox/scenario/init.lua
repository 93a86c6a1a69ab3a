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
-- To add a scenario, add one row: to `starvideos.sandbox.scenario.faults` if a
-- create and a query can have it alike, else to
-- `starvideos.sandbox.scenario.places`. Its name then works in prompts, in
-- `starvideos sandbox --scenario` and `--list-scenarios`, and
-- spec/unit/sandbox/scenario_spec.lua tries it; nothing else changes. A row of
-- `places` has a `name`; `what`, one line for the list; where wanted `counts`
-- ("seconds") and `default` (N); and an effect under the place it has it in:
--
--   * `life`: `ends`, the last status; `error`; `varies`: the task takes a
--     random part of N seconds;
--   * `create`, `query`: the fields that `faults` lists, and
--     `alter(body, provider)`, which changes the regular answer before it is
--     encoded; `only`, the one status of the task in which a query is affected;
--     `id_prefix`, with which a created task's id begins; `expired`: a query
--     answers with a link that has expired;
--   * `media`: see `starvideos.sandbox.media`.
-- @module starvideos.sandbox.scenario

local c_locale = require "starvideos.base.c_locale"
local faults = require "starvideos.sandbox.scenario.faults"
local places = require "starvideos.sandbox.scenario.places"

local _M = {}

local PLACES = { "life", "create", "query", "media" }

local function fault_rows(list)
  for _, fault in ipairs(faults) do
    for _, place in ipairs{ "create", "query" } do
      list[#list + 1] = { name = place .. "_" .. fault.name,
        what = fault.what, counts = fault.counts, default = fault.default,
        [place] = fault }
    end
  end
end

local ROWS, BY_NAME = {}, {}
for _, group in ipairs(places) do
  for _, row in ipairs(group) do
    ROWS[#ROWS + 1] = row
  end
end
fault_rows(ROWS)
for _, row in ipairs(ROWS) do
  BY_NAME[row.name] = row
end

--- Every scenario there is.
-- @treturn table array of `{ name =, what =, place = "life" | "create" |
--   "query" | "media", counts = "requests" | "seconds", default = N or nil }`
function _M.list()
  local list = {}
  for _, place in ipairs(PLACES) do
    for _, row in ipairs(ROWS) do
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

return _M
