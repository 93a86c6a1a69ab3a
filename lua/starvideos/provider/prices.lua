-- What an order costs, by the prices that the caller gives: a table, a JSON
-- file with the same, or a function. The provider publishes none.
--
--     { currency = "USD", models = {
--       starvideos_o3 = { per_second = 0.1, per_video = 0.05 },
--       videos = { per_second = { ["720p"] = 0.08, ["1080p"] = 0.15 } } } }
--
-- Where a model has both prices an order costs their sum. In here money is
-- whole millionths of the currency, so that sums are exact.
--
-- What the caller leaves out has the server's default, as the catalog knows it:
-- a duration, a resolution. Where the reference video sets the length of the
-- output, as for starvideos_o3, its own `duration` counts, rounded up to whole
-- seconds. An order of which any of these is not known has no price at all: a
-- price that is too low would let it through a limit.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local json = require "starvideos.base.json"

local _M = {}

local MILLION = 1000000

-- The highest price, in units of the currency: a thousand million seconds of it
-- can still be counted to the millionth.
local MOST = 1e6

-- Up to this number a float can tell each whole number from the next one.
local EXACT = 2 ^ 53

-- The longest name of a currency, in bytes.
local NAME_BYTES = 32

local Prices = {}
Prices.__index = Prices

local function shown(value)
  return type(value) == "number" and c_locale.number("%.14g", value)
    or type(value) == "string" and ("%q"):format(value) or "a " .. type(value)
end

local function is_within(number)
  return type(number) == "number" and number >= 0 and number <= MOST
end

-- The millionths of a price; nil and why it is none. The quotient is the float
-- nearest to that many millionths, so only a price with further digits differs
-- from it.
local function millionths_of(price, place)
  if not is_within(price) then
    return nil, ("%s is %s: a price is a number from 0 to %d"):format(place,
      shown(price), MOST)
  end
  local millionths = math.floor(price * MILLION + 0.5)
  if millionths / MILLION ~= price then
    return nil, ("%s is %s, which is finer than a millionth: round it")
      :format(place, shown(price))
  end
  return millionths
end

-- A price for all resolutions, or a table of prices by resolution.
local function rate_of(given, place)
  if type(given) ~= "table" then
    local millionths, why = millionths_of(given, place)
    return millionths and { of_all = millionths }, why
  elseif next(given) == nil then
    return nil, place .. " is empty: it takes a price, or prices by resolution"
  end
  local rate = { by_resolution = {} }
  for name, price in pairs(given) do
    if type(name) ~= "string" then
      return nil, place .. " is a list: it takes a price, or prices by resolution"
    end
    local millionths, why = millionths_of(price, place .. "." .. name)
    if not millionths then
      return nil, why
    end
    rate.by_resolution[name] = millionths
  end
  return rate
end

local function rate_for(rate, params, row)
  if rate.of_all then
    return rate.of_all
  end
  local limits = row and row.resolution
  local resolution = params.resolution
  if resolution == nil then
    resolution = limits and limits.default
  end
  if resolution == nil then
    return nil, "its price depends on the resolution, which is not known"
  end
  local millionths = rate.by_resolution[resolution]
  return millionths, not millionths
    and ("no price is given for the resolution %s"):format(tostring(resolution))
    or nil
end

-- The names of the fields that hold lists of media.
local media = {}
for _, field in ipairs(core.fields()) do
  media[#media + 1] = field.kind == "media" and field.name or nil
end

-- The reference videos that set the length of the output; nil where none do.
local function references_of(params, row)
  for index = 1, #media do
    local list = params[media[index]]
    local limits = list and row and row[media[index]]
    if limits and limits.sets_output
      and (type(list) ~= "table" or next(list) ~= nil) then
      return list
    end
  end
end

-- How many of a unit an order takes; nil and why that is not known.
local units = {}

function units.per_video()
  return 1
end

local function is_length(seconds)
  return type(seconds) == "number" and seconds > 0 and seconds < math.huge
end

function units.per_second(params, row)
  local list = references_of(params, row)
  if list then
    local only = type(list) == "table" and #list == 1 and list[1]
    local seconds = type(only) == "table" and only.duration
    if is_length(seconds) then
      return math.ceil(seconds)
    end
    return nil, "its length is that of the reference video, whose duration is"
      .. " not known: give it as { url =, duration = }"
  end
  local seconds, limits = params.duration, row and row.duration
  if seconds == nil then
    seconds = limits and limits.default
  end
  if is_length(seconds) then
    return seconds
  end
  return nil, "its duration is not known"
end

local function whole(number)
  return math.tointeger and math.tointeger(number) or number
end

local function total_of(rates, params, row)
  local total = 0.0
  for name, rate in pairs(rates) do
    local count, why = units[name](params, row)
    local millionths
    if count then
      millionths, why = rate_for(rate, params, row)
    end
    if not millionths then
      return nil, why
    end
    total = total + millionths * (count + 0.0)
  end
  total = math.ceil(total)
  if total > EXACT then
    return nil, "its price is too high to be counted to the millionth"
  end
  return whole(total)
end

local function copy_of(params)
  local copy = {}
  for name, value in pairs(params) do
    copy[name] = value
  end
  return copy
end

-- What a function of the caller's says; rounded up to a millionth, but for what
-- sums and products of decimals leave behind.
local function asked(self, params, row)
  local price = self.ask(copy_of(params), row)
  if price == nil then
    return nil, "the function prices gives none for the model "
      .. tostring(params.model)
  elseif not is_within(price) then
    error(("the function prices gave %s for the model %s: a price is a number"
      .. " from 0 to %d, or nil"):format(shown(price), tostring(params.model),
      MOST), 0)
  end
  return whole(math.ceil(price * MILLION - 0.001))
end

-- What an order costs. `params`: of the caller, with the facts of its references.
-- `row`: the model's row of the catalog. Raises what a function of the caller's raises,
-- or that it gave no price. Returns millionths of the currency; nil where that is not
-- known, and why it is not.
function Prices:cost(params, row)
  if self.ask then
    return asked(self, params, row)
  end
  local rates = self.models[params.model]
  if not rates then
    return nil, ("no price is given for the model %s")
      :format(tostring(params.model))
  end
  return total_of(rates, params, row)
end

-- An amount of money as programs and people read it. Returns `cost` in units of the
-- `currency` (nil: it has no name), and the same in whole `millionths`.
function Prices:money(millionths)
  return { cost = millionths / MILLION, currency = self.currency,
    millionths = whole(millionths) }
end

local function rates_of(given, place)
  if type(given) ~= "table" then
    return nil, ("%s is %s: it takes per_second, per_video or both"):format(
      place, shown(given))
  end
  local rates = {}
  for name, price in pairs(given) do
    local rate, why
    if units[name] then
      rate, why = rate_of(price, place .. "." .. name)
    else
      why = ("%s.%s is no price: a model takes per_second and per_video")
        :format(place, tostring(name))
    end
    if not rate then
      return nil, why
    end
    rates[name] = rate
  end
  if next(rates) == nil then
    return nil, place .. " has no price: it takes per_second, per_video or both"
  end
  return rates
end

-- A model of another edition is no mistake: one file may serve several clients.
local function is_model(name, catalog)
  return type(name) == "string"
    and (catalog:model(name) or core.catalog():model(name)) ~= nil
end

local function models_of(given, catalog)
  if type(given) ~= "table" then
    return nil, ("models is %s: it takes a table of prices by model"):format(
      given == nil and "missing" or shown(given))
  end
  local models = {}
  for name, prices in pairs(given) do
    local place = "models." .. tostring(name)
    if not is_model(name, catalog) then
      return nil, place .. " is no model that this version knows (client:models"
        .. " lists them; starvideos.new takes further ones)"
    end
    local rates, why = rates_of(prices, place)
    if not rates then
      return nil, why
    end
    models[name] = rates
  end
  return models
end

local function is_currency(name)
  return type(name) == "string" and #name <= NAME_BYTES and name:find "%S"
    and not name:find "[%c\127]" and not name:find "^%s" and not name:find "%s$"
end

local known = { currency = true, models = true, cost = true }

local function read_table(given, catalog)
  for name in pairs(given) do
    if not known[name] then
      return nil, ("%s is no field of prices, which takes currency and models")
        :format(tostring(name))
    end
  end
  if not is_currency(given.currency) then
    return nil, ("currency is %s: it takes the name of a currency, like USD")
      :format(given.currency == nil and "missing" or shown(given.currency))
  elseif type(given.cost) == "function" then
    return { ask = given.cost, currency = given.currency }
  elseif given.cost ~= nil then
    return nil, ("cost is %s: it takes a function, in place of models"):format(
      shown(given.cost))
  end
  local models, why = models_of(given.models, catalog)
  return models and { models = models, currency = given.currency }, why
end

local function read_file(path, catalog)
  local text, failure = core.disk("read", path)
  if not text then
    return nil, ("the prices cannot be read: %s: %s"):format(path,
      failure.message)
  end
  local given, why = json.decode((text:gsub("^\239\187\191", "")))
  if type(given) ~= "table" then
    return nil, ("%s is no JSON object of prices%s"):format(path,
      why and ": " .. why or "")
  end
  local prices
  prices, why = read_table(given, catalog)
  return prices, why and path .. ": " .. why
end

local readers = {
  string = read_file,
  table = function(given, catalog)
    local prices, why = read_table(given, catalog)
    return prices, why and "prices: " .. why
  end,
  ["function"] = function(given)
    return { ask = given }
  end,
}

-- Read prices. `option`: path of a JSON file; a table as above, or with a function
-- `cost` in place of `models`; or that function alone, whose prices then have no
-- currency. It gets the parameters and the model's row of the catalog and returns the
-- price of the order in units of the currency, or nil where it knows none. `catalog`:
-- of the client. Returns prices: `currency` (nil: none), and the methods `cost` and
-- `money`, and why not; names the place.
function _M.load(option, catalog)
  local prices, why = readers[type(option)](option, catalog)
  return prices and setmetatable(prices, Prices), why
end

return _M
