-- Accounts, each with its key, limits and price, and the record of who broke which
-- limit. Only a refused request counts as broken, so an account without limits shows
-- how far its clients go.

local c_locale = require "starvideos.base.c_locale"
local json = require "starvideos.base.json"
local responses = require "starvideos.sandbox.response"

local Accounts = {}
Accounts.__index = Accounts

-- A heap: when the open tasks of an account end.
local function heap_size(store, name)
  return store:get(name) or 0
end

local function key_of(name, place)
  return name .. ":" .. place
end

local function heap_first(store, name)
  return store:get(key_of(name, 1))
end

local function heap_push(store, name, value)
  local place = heap_size(store, name) + 1
  store:set(name, place)
  while place > 1 do
    local above = math.floor(place / 2)
    local other = store:get(key_of(name, above))
    if other <= value then
      break
    end
    store:set(key_of(name, place), other)
    place = above
  end
  store:set(key_of(name, place), value)
end

-- The smaller of the two below a place.
local function below(store, name, place, size)
  local left = 2 * place
  local value = left <= size and store:get(key_of(name, left))
  local other = left < size and store:get(key_of(name, left + 1))
  if other and other < value then
    return left + 1, other
  end
  return left, value
end

local function heap_pop(store, name)
  local size = heap_size(store, name)
  local value, place = store:get(key_of(name, size)), 1
  store:set(key_of(name, size), nil)
  size = size - 1
  store:set(name, size)
  local lower, other = below(store, name, place, size)
  while other and other < value do
    store:set(key_of(name, place), other)
    place = lower
    lower, other = below(store, name, place, size)
  end
  if size > 0 then
    store:set(key_of(name, place), value)
  end
end

-- A window: what happened within the last so many seconds. The caller holds the lock.
local function forget_until(store, name, time)
  local first = store:get(name .. ":first") or 1
  local at = store:get(name .. ":" .. first)
  while at and at <= time do
    store:set(name .. ":" .. first, nil)
    first = first + 1
    at = store:get(name .. ":" .. first)
  end
  store:set(name .. ":first", first)
  return first, at
end

local function most_within(store, name)
  return store:get(name .. ":most") or 0
end

-- How often it was in the last so many seconds, and when the oldest of these was.
local function count_within(store, name, now, seconds)
  local first, at = forget_until(store, name, now - seconds)
  return (store:get(name .. ":last") or 0) - first + 1, at
end

local function add_within(store, name, now, seconds)
  local last = (store:get(name .. ":last") or 0) + 1
  store:set(name .. ":last", last)
  store:set(name .. ":" .. last, now)
  local count = count_within(store, name, now, seconds)
  store:set(name .. ":most", math.max(most_within(store, name), count))
end

-- The account of the provider's own key.
local MAIN = "main"

-- What may be set of an account; a number each.
local LIMITS = { "open", "creates_per_minute", "polls_per_second", "price",
  "balance", "poll_interval" }

-- Sums of prices are exact in whole millionths.
local MILLION = 1e6

-- The documents ask for 30 s between two polls.
local POLL_INTERVAL = 30

-- Seconds over which a rate is counted.
local MINUTE, SECOND = 60, 1

local function of_options(options)
  local limits = {}
  for _, name in ipairs(LIMITS) do
    limits[name] = options[name]
  end
  return limits
end

function Accounts.new(provider, options)
  local self = setmetatable({ provider = provider, store = provider.store,
    given = { [MAIN] = of_options(options) }, names = { MAIN },
    keys = { [provider.key] = MAIN } }, Accounts)
  for name, account in pairs(options.accounts or {}) do
    self.given[name] = of_options(account)
    self.keys[account.key] = name
    self.names[#self.names + 1] = name
  end
  table.sort(self.names)
  return self
end

function Accounts:of_key(key)
  return self.keys[key] or self.store:get("account of " .. key)
end

function Accounts:limits(name)
  local text = self.store:get("limits of " .. name)
  return text and json.decode(text) or self.given[name] or {}
end

local function all_names(self)
  local names, position = {}, 0
  for index, name in ipairs(self.names) do
    names[index] = name
  end
  repeat
    position = position + 1
    names[#names + 1] = self.store:item("accounts", position)
  until not self.store:item("accounts", position)
  return names
end

local function add_key(self, name, key)
  if not self.given[name] and not self.store:get("limits of " .. name) then
    self.store:push("accounts", name)
  end
  if key then
    self.store:set("account of " .. key, name)
  end
end

-- Change the limits of an account, or add one; returns what is wrong with `wanted`.
function Accounts:set(wanted)
  local name = wanted.account or MAIN
  if type(name) ~= "string"
    or wanted.key ~= nil and type(wanted.key) ~= "string" then
    return "account and key are strings"
  end
  local limits = of_options(self:limits(name))
  for _, field in ipairs(LIMITS) do
    local value = wanted[field]
    if value ~= nil and value ~= false and (type(value) ~= "number"
      or value < 0) then
      return field .. " is a number from 0, or false"
    elseif value ~= nil then
      limits[field] = value or nil
    end
  end
  add_key(self, name, wanted.key)
  self.store:set("limits of " .. name, json.encode(limits))
end

local function broken(self, name, what)
  self.store:count(("broken:%s:%s"):format(name, what))
end

local function too_many(seconds, message)
  local response = responses.json({ error = { code = "TooManyRequests",
    message = message } }, 429)
  response.headers["retry-after"] = ("%d"):format(
    math.max(1, math.min(math.ceil(seconds), 3600)))
  return response
end

-- Counts a request; the answer where it is one too many.
local function admit(self, name, what, limit, seconds)
  local now, key = self.provider.clock(), what .. ":" .. name
  self.store:count("all " .. key)
  local count, oldest = count_within(self.store, key, now, seconds)
  if not limit or count < limit then
    add_within(self.store, key, now, seconds)
    return nil
  end
  broken(self, name, what)
  return too_many((oldest or now) + seconds - now, "Slow down: the limit of "
    .. what .. " is reached")
end

local function locked(self, name, body)
  return self.store:locked("lock of " .. name, body)
end

-- Count a create; the answer where it is one too many.
function Accounts:create(name)
  return locked(self, name, function()
    return admit(self, name, "creates",
      self:limits(name).creates_per_minute, MINUTE)
  end)
end

local function open_tasks(self, name)
  local key, now = "open:" .. name, self.provider.clock()
  while (heap_first(self.store, key) or math.huge) <= now do
    heap_pop(self.store, key)
  end
  return heap_size(self.store, key), heap_first(self.store, key)
end

-- The answer where an account cannot have another task.
local function obstacle(self, name, limits)
  local open, ends = open_tasks(self, name)
  local spent = self.store:get("spent:" .. name) or 0
  local price = math.floor((limits.price or 0) * MILLION + 0.5)
  if limits.balance and spent + price > limits.balance * MILLION + 0.5 then
    broken(self, name, "balance")
    return responses.json({ error = { code = "InsufficientBalance",
      message = "the balance is used up" } }, 402)
  elseif limits.open and open >= limits.open then
    broken(self, name, "open")
    return too_many((ends or math.huge) - self.provider.clock(),
      ("There are %d open tasks, at most %d"):format(open, limits.open))
  end
  return nil, open, spent + price
end

-- Open and bill a task: `make` returns it and when it ends. Or nil and the refusal.
function Accounts:order(name, make)
  return locked(self, name, function()
    local refused, open, spent = obstacle(self, name, self:limits(name))
    if refused then
      return nil, refused
    end
    local task, ends = make()
    local most = "most open:" .. name
    heap_push(self.store, "open:" .. name, ends)
    self.store:set(most, math.max(self.store:get(most) or 0, open + 1))
    self.store:set("spent:" .. name, spent)
    self.store:count("billed:" .. name)
    return task
  end)
end

-- A task that two clients poll is polled twice as often as it should be.
local function compare_with_last(self, name, limits, id, client)
  local key, now = "polled:" .. id, self.provider.clock()
  local at, who = (self.store:get(key) or ""):match "^(%S+) (.*)$"
  local interval = limits.poll_interval or POLL_INTERVAL
  if at and now - c_locale.tonumber(at) < interval / 2 and who ~= client then
    self.store:count("duplicates:" .. name)
  end
  self.store:set(key, c_locale.number("%.3f", now) .. " " .. client)
end

-- Count a poll of a client; the answer where it is one too many.
function Accounts:poll(name, id, client)
  return locked(self, name, function()
    local limits = self:limits(name)
    local refused = admit(self, name, "polls", limits.polls_per_second, SECOND)
    if not refused then
      compare_with_last(self, name, limits, id, client)
    end
    return refused
  end)
end

local function report_on(self, name)
  local store, refused = self.store, {}
  for _, what in ipairs { "open", "creates", "polls", "balance" } do
    refused[what] = store:get(("broken:%s:%s"):format(name, what)) or 0
  end
  return {
    account = name, limits = self:limits(name), broken = refused,
    open = open_tasks(self, name), most_open = store:get("most open:" .. name)
      or 0,
    creates = store:get("all creates:" .. name) or 0,
    most_creates = most_within(store, "creates:" .. name),
    polls = store:get("all polls:" .. name) or 0,
    most_polls = most_within(store, "polls:" .. name),
    duplicate_polls = store:get("duplicates:" .. name) or 0,
    billed = store:get("billed:" .. name) or 0,
    spent = (store:get("spent:" .. name) or 0) / MILLION,
  }
end

-- The record, as `GET /__sandbox/accounts` tells it. Of each account:
--
--   * `account`, its name; `limits`, as they are set now;
--   * `open`, its tasks that have not ended by their time, and `most_open`;
--   * `creates` that arrived, and `most_creates` within 60 s;
--   * `polls` that arrived, and `most_polls` within a second;
--   * `duplicate_polls`: two clients (over sockets: connections) polled a task within
--     half of `poll_interval`;
--   * `billed` tasks, and what was `spent` on them;
--   * `broken`: how many requests each limit refused: `open`, `creates`, `polls`,
--     `balance`. The most within a time do not count these.
function Accounts:report()
  local list = {}
  for _, name in ipairs(all_names(self)) do
    list[#list + 1] = locked(self, name, function()
      return report_on(self, name)
    end)
  end
  return { accounts = list }
end

return Accounts
