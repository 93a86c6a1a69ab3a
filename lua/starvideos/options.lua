--- The options of every call, as data: an option of another name or type is a
-- mistake of the program and raises an error that names the caller's line.
-- @module starvideos.options

local errors = require "starvideos.errors"

local _M = {}

-- The highest limit; of money, a float still counts its millionths.
local MOST = 1e9

local function seconds(value)
  return type(value) == "number" and value > 0 and value < math.huge,
    "a number of seconds above 0"
end

local function seconds_or_none(value)
  return type(value) == "number" and value >= 0 and value < math.huge,
    "a number of seconds, 0 or more"
end

local function of_type(name)
  return function(value)
    return type(value) == name, "a " .. name
  end
end

local function one_of(...)
  local words, known = { ... }, {}
  for _, word in ipairs(words) do
    known[word] = true
  end
  return function(value)
    return known[value] == true, "one of " .. table.concat(words, ", ")
  end
end

local function count(value)
  return type(value) == "number" and value >= 1 and value % 1 == 0,
    "a whole number above 0"
end

local boolean, text = of_type "boolean", of_type "string"
local callback, list = of_type "function", of_type "table"
local mode = one_of("strict", "advisory", "off")
local acceptance = one_of("video", "any")

local wait = {
  timeout = seconds,
  interval = seconds,
  max_interval = seconds,
  first_poll = seconds_or_none,
  on_progress = callback,
}

local function extended(base, more)
  for name, check in pairs(base) do
    more[name] = more[name] or check
  end
  return more
end

-- A name that a person reads: of an order, of an account.
local function readable(value)
  return type(value) == "string" and value:find("%S") ~= nil
    and not value:find("[%c\127]"), "a text of printable characters"
end

local function path(value)
  return type(value) == "string" and value ~= ""
    and not value:find("\0", 1, true), "a path without a NUL"
end

local function not_blank(value)
  return type(value) == "string" and value:find("%S") ~= nil
    and not value:find("\0", 1, true), "a text without a NUL that is not blank"
end

-- A function of the caller's, or one of ours by its name.
local function transport(value)
  return type(value) == "function" or value == "resty_http",
    "a function or resty_http"
end

local function positive(value)
  return type(value) == "number" and value > 0 and value < math.huge,
    "a number above 0"
end

-- One of ngx.shared, or another with the same methods. Those of nginx are tables
-- whose methods stand in their metatables.
local function dictionary(value)
  local is_one = type(value) == "table" or type(value) == "userdata"
  return is_one and value.get ~= nil and value.set ~= nil and value.add ~= nil,
    "a dictionary with get, set and add"
end

local create = {
  validation = mode,
  endpoint = text,
  key = readable,
  take = count,
  path = path,
  label = readable,
  limit_timeout = seconds_or_none,
}

-- A limit of the ledger; 0 sends nothing, and `false` removes it.
local function limit(value)
  return value == false or type(value) == "number" and value >= 0
    and value <= MOST, "a number, 0 or more, or false to remove the limit"
end

local function whole_limit(value)
  return limit(value) and (not value or value % 1 == 0),
    "a whole number, 0 or more, or false to remove the limit"
end

-- As `starvideos.provider.prices` reads them.
local function prices(value)
  return not_blank(value) or type(value) == "table"
    or type(value) == "function", "the path of a file, a table or a function"
end

-- One state of an order, or a list of them.
local function some_states(value)
  local states = type(value) == "table" and value or { value }
  for _, state in ipairs(states) do
    if type(state) ~= "string" then
      return false, "the name of a state, or a list of them"
    end
  end
  return states[1] ~= nil, "the name of a state, or a list of them"
end

--- The options of every public call, each with the check it must pass.
-- @table accepted
_M.accepted = {
  new = {
    api_key = text,
    base_url = text,
    edition = one_of("xingchao", "mingyan"),
    models = list,
    validation = mode,
    runtime = one_of("block", "frame", "poll", "ngx"),
    transport = transport,
    shared = dictionary,
    poll_rate = positive,
    clock = callback,
    sleep = callback,
    random = callback,
    ca_file = path,
    insecure_http = boolean,
    private_links = boolean,
    max_video = count,
    max_answer = count,
    connect_timeout = seconds,
    timeout = seconds,
    max_creates = count,
    max_in_flight = count,
    on_event = callback,
    interrupts = one_of("raise", "return"),
    ledger = not_blank,
    ledger_fsync = boolean,
    account = readable,
    prices = prices,
  },
  create = create,
  query = { max_age = seconds_or_none },
  wait = wait,
  wait_all = wait,
  download = {
    overwrite = boolean,
    on_progress = callback,
    timeout = seconds,
    stall_timeout = seconds,
    accept = acceptance,
  },
  dismiss = { force = boolean, take = count },
  adopt = { take = count },
  label = { take = count },
  order = { take = count },
  limits = {
    open = whole_limit,
    creates_per_minute = limit,
    polls_per_second = limit,
    spend = limit,
    per = one_of("day", "total"),
    currency = readable,
    refund_failed = boolean,
    account = readable,
    label = readable,
  },
  pending = { limit = count, after = text, all = boolean },
  orders = { state = some_states, since = seconds, before = seconds,
    label = readable, account = readable, key = readable, limit = count,
    after = text },
  status = {},
  archive = { before = seconds },
  backup = {},
  resume = extended(wait, {
    directory = path,
    any_path = boolean,
    path = callback,
    overwrite = boolean,
    missing = boolean,
    stall_timeout = seconds,
    accept = acceptance,
    on_done = callback,
    on_progress = callback,
  }),
  validate_all = {},
  enqueue = { label = readable, confirm = callback, directory = path },
  generate_all = extended(wait, {
    at_most = count,
    directory = path,
    label = readable,
    limit_timeout = seconds_or_none,
    overwrite = boolean,
    stall_timeout = seconds,
    accept = acceptance,
    on_done = callback,
    on_task = callback,
    on_download = callback,
  }),
  work = {
    directory = path,
    any_path = boolean,
    follow = boolean,
    resume = boolean,
    claims = count,
    accounts = one_of "any",
    failures = boolean,
    on_begin = callback,
    overwrite = boolean,
    path = callback,
    stall_timeout = seconds,
    accept = acceptance,
    timeout = seconds,
    interval = seconds,
    max_interval = seconds,
    on_done = callback,
    on_progress = callback,
  },
  generate = extended(wait, extended(create, {
    overwrite = boolean,
    on_task = callback,
    on_download = callback,
    stall_timeout = seconds,
    accept = acceptance,
  })),
}

-- Which options a call takes, for one who has misspelt one.
local function taken(accepted)
  local names = {}
  for name in pairs(accepted) do
    names[#names + 1] = name
  end
  table.sort(names)
  return #names > 0 and "; it takes " .. table.concat(names, ", ") or ""
end

--- Check the options of a call.
-- @tparam string call its name in `accepted`
-- @tparam ?table options
-- @treturn table the options, empty where none were given
-- @raise a name or a type that the call does not take
function _M.check(call, options)
  if options == nil then
    return {}
  elseif type(options) ~= "table" then
    errors.misuse(("the options of %s must be a table, not a %s")
      :format(call, type(options)))
  end
  local accepted = _M.accepted[call]
  if call == "new" and options.new then
    errors.misuse("call starvideos.new with a dot, not with a colon")
  end
  for name, value in pairs(options) do
    local check = accepted[name]
    if not check then
      errors.misuse(("%s takes no option %q, so nothing was sent%s"):format(call,
        tostring(name), taken(accepted)))
    end
    local ok, wanted = check(value)
    if not ok then
      errors.misuse(("option %s of %s must be %s, not %s"):format(name, call, wanted,
        type(value) == "table" and "a table" or tostring(value)))
    end
  end
  return options
end

return _M
