-- Who may use a gateway, and how much: a JSON file of the operator's.
--
--     { "callers": [ {
--       "name": "ann",
--       "token_sha256": "9f86d081…",
--       "limits": { "open": 5, "orders_per_minute": 10, "spend": 20, "per": "day" },
--       "origins": [ "https://play.example" ]
--     } ] }
--
-- A name is the ledger's account, and stands in logs: letters, digits and
-- `._@-`. The file has no tokens, but the SHA-256 of each in hex: one, or a list,
-- so that a new token and the old one are valid together for a while. `limits` and
-- `origins` may be left out: what is not there has no limit, and pages of other
-- origins are refused.

local c_locale = require "starvideos.base.c_locale"
local contexts = require "starvideos.context"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local json = require "starvideos.base.json"
local limits = require "starvideos.fleet.limits"

local _M = {}

local Callers = {}
Callers.__index = Callers

-- The highest limit; a float still counts the millionths of so much money.
local MOST = 1e9
local MILLION = 1000000

local NAME_BYTES = 64

-- The digits of a token's digest that a session names.
local PREFIX = 16
local DEFAULT_PORTS = { http = ":80", https = ":443" }

-- The same report for what stands within.
local function within(report, place)
  return function(why, inner)
    report(why, place .. (inner or ""))
  end
end

-- A reader gets a value of the file, and returns what the gateway makes of it;
-- what is wrong it tells `report(why, place)`, and returns nil.
local readers = {}

local function readable(text)
  return (text:gsub("[%c\127]", "?"))
end

local function sorted_names(object)
  local names = {}
  for name in pairs(object) do
    names[#names + 1] = tostring(name)
  end
  table.sort(names)
  return names
end

local function fields_of(object, fields, report)
  if type(object) ~= "table" or object[1] ~= nil then
    return report "is not an object"
  end
  local result = {}
  for _, name in ipairs(sorted_names(object)) do
    local place = "." .. readable(name)
    if fields[name] then
      result[name] = fields[name](object[name], within(report, place))
    else
      report("is unknown: the fields are "
        .. table.concat(sorted_names(fields), ", "), place)
    end
  end
  return result
end

local function list_of(list, reader, report)
  if type(list) ~= "table" or #list ~= #sorted_names(list) then
    return report "is not a list"
  end
  local result = {}
  for index, item in ipairs(list) do
    result[#result + 1] = reader(item, within(report, ("[%d]"):format(index)))
  end
  return result
end

local function shown(value)
  return type(value) == "number" and c_locale.number("%.14g", value)
    or "a " .. type(value)
end

function readers.name(name, report)
  if type(name) ~= "string" or #name > NAME_BYTES
    or not name:find "^%w[%w._@-]*$" then
    return report(("is no name: it is up to %d letters, digits and ._@-, and"
      .. " begins with a letter or a digit"):format(NAME_BYTES))
  end
  return name
end

-- The value is never shown: somebody may have put the token itself here.
local function digest(text, report)
  if type(text) ~= "string" or #text ~= 64 or text:find "%X" then
    return report "is not the SHA-256 of a token, which has 64 hex digits"
  end
  return c_locale.lower(text)
end

function readers.token_sha256(given, report)
  if type(given) ~= "table" then
    return { digest(given, report) }
  elseif next(given) == nil then
    return report "is empty: it takes the SHA-256 of a token"
  end
  return list_of(given, digest, report)
end

local function whole(number, report)
  if type(number) ~= "number" or number < 0 or number > MOST
    or number % 1 ~= 0 then
    return report(("is %s: it takes a whole number from 0 to %.0f")
      :format(shown(number), MOST))
  end
  return number
end

local function money(amount, report)
  if type(amount) ~= "number" or amount < 0 or amount > MOST then
    return report(("is %s: it takes a number from 0 to %.0f")
      :format(shown(amount), MOST))
  end
  local millionths = math.floor(amount * MILLION + 0.5)
  if millionths / MILLION ~= amount then
    return report(("is %s, which is finer than a millionth: round it")
      :format(shown(amount)))
  end
  return millionths
end

local function period(word, report)
  if word ~= "day" and word ~= "total" then
    return report "is neither day nor total"
  end
  return word
end

local limit_readers = { open = whole, orders_per_minute = whole, spend = money,
  per = period }

function readers.limits(given, report)
  local result = fields_of(given, limit_readers, report)
  if not result then
    return nil
  elseif given.per ~= nil and given.spend == nil then
    report("is for a spend, and there is none", ".per")
  end
  result.per = given.spend ~= nil and (result.per or "total") or nil
  return result
end

local function host_and_port(authority)
  local host, port = authority:match "^(%w[%w.-]*)(:?%d*)$"
  if not host then
    host, port = authority:match "^(%[[%x:.]+%])(:?%d*)$"
  end
  local number = port and tonumber(port:sub(2))
  if port == "" then
    return host, ""
  elseif number and number >= 1 and number <= 65535 then
    return host, (":%d"):format(number)
  end
end

-- As browsers send it: in small letters, without the scheme's own port.
local function origin(text, report)
  local scheme, authority, rest
  if type(text) == "string" then
    scheme, authority, rest = c_locale.lower(text):match "^(https?)://([^/?#]*)(.*)$"
  end
  local host, port = host_and_port(authority or "")
  if not host then
    return report "is no origin: write it as https://play.example"
  end
  local whole_origin = scheme .. "://" .. host
    .. (port == DEFAULT_PORTS[scheme] and "" or port)
  if rest ~= "" then
    return report("has a path, or ends with a slash: write " .. whole_origin)
  end
  return whole_origin
end

function readers.origins(given, report)
  return list_of(given, origin, report)
end

local function caller_of(given, report)
  local name = type(given) == "table" and type(given.name) == "string"
    and (" (%s)"):format(readable(given.name))
  report = within(report, name or "")
  local caller = fields_of(given, readers, report)
  for _, field in ipairs { "name", "token_sha256" } do
    if caller and given[field] == nil then
      report("is missing", "." .. field)
    end
  end
  return caller
end

-- Of each name, and each token, the first caller that has it.
local function report_twins(list, report)
  local first = { name = {}, token_sha256 = {} }
  local function note(field, value, index)
    local other = first[field][value]
    if other then
      report(("is the same as that of callers[%d]"):format(other),
        ("[%d].%s"):format(index, field))
    end
    first[field][value] = other or index
  end
  for index, caller in ipairs(list) do
    if caller.name then
      note("name", caller.name, index)
    end
    for _, text in ipairs(caller.token_sha256 or {}) do
      note("token_sha256", text, index)
    end
  end
end

local top = {}

function top.callers(given, report)
  local list = list_of(given, function(item, inner)
    return caller_of(item, inner) or {}
  end, report)
  if list and not list[1] then
    report "is empty: nobody could use the gateway"
  end
  report_twins(list or {}, report)
  return list
end

local function gateway_callers(list)
  local self = setmetatable({ list = {}, of_digest = {}, of_prefix = {},
    origins = {} }, Callers)
  for index, given in ipairs(list) do
    local caller = { name = given.name, limits = given.limits or {},
      origins = given.origins or {} }
    self.list[index] = caller
    for _, text in ipairs(given.token_sha256) do
      local prefix = text:sub(1, PREFIX)
      self.of_digest[text] = caller
      self.of_prefix[prefix] = self.of_prefix[prefix] or text
    end
    for _, text in ipairs(caller.origins) do
      self.origins[text] = true
    end
  end
  return self
end

-- Read a file of callers. `text`: of the file. Returns callers: `list`, whose items
-- have `name`, `limits` (`open`, `orders_per_minute`, `spend` in millionths, `per`:
-- each nil where there is no limit) and `origins` (a list), and every fault, one a
-- line, with its place.
function _M.parse(text)
  local given, syntax = json.decode(text)
  if given == nil and syntax then
    return nil, "the file is not JSON: " .. syntax
  end
  local faults = {}
  local function report(why, place)
    place = (place or ""):gsub("^%.", "")
    faults[#faults + 1] = (place == "" and "the file" or place) .. " " .. why
  end
  local result = fields_of(given, top, report)
  if result and given.callers == nil then
    report("is missing", ".callers")
  end
  if faults[1] then
    return nil, table.concat(faults, "\n")
  end
  return gateway_callers(result.callers)
end

-- Find the caller that a token is of. How long a look into the table takes can tell
-- something of the digest that was looked for alone, and nobody can make a token of that.
-- Returns caller; nil where it is nobody's.
function Callers:find(token)
  return self.of_digest[curl.sha256(token)]
end

-- Find the caller of a token by the beginning of the token's SHA-256. `prefix`: 16 hex
-- digits. Returns caller; nil where no caller has that token any more, and the whole
-- digest.
function Callers:named(prefix)
  local text = self.of_prefix[prefix]
  return text and self.of_digest[text], text
end

-- Whether any caller's pages may come from an origin. `origin_text`: as a browser sends
-- it.
function Callers:allow(origin_text)
  return self.origins[origin_text] == true
end

-- Whether a caller's pages may come from an origin. `origin_text`: as a browser sends
-- it.
function _M.allows(caller, origin_text)
  for _, allowed in ipairs(caller.origins) do
    if allowed == origin_text then
      return true
    end
  end
  return false
end

-- Whether any caller has a cap on what is spent, which needs prices.
function Callers:need_prices()
  for _, caller in ipairs(self.list) do
    if caller.limits.spend then
      return true
    end
  end
  return false
end

-- What a caller may spend is made a limit of the ledger: that counts what was sent, and
-- holds for all who use it. The callers whose caps this process has seen there:
local held = setmetatable({}, { __mode = "k" })

-- The changes of limits by which the ledger gets the caps of a caller. `there`: its rows.
local function changes_of(caller, there)
  local changes, caps = {}, {}
  for _, row in ipairs(there) do
    caps[row.kind] = row.cap
  end
  for _, per in ipairs { "day", "total" } do
    local cap = caller.limits.per == per and caller.limits.spend or nil
    if cap ~= caps["spend/" .. per] then
      -- What is set comes before what is removed.
      table.insert(changes, cap and 1 or #changes + 1, { account = caller.name,
        per = per, spend = cap and cap / MILLION or false })
    end
  end
  return changes
end

-- See that the ledger has the caps of a caller. Once it has them, it is not asked again
-- before the file is read again. Returns err of the ledger.
function _M.hold_cap(app, caller)
  if held[caller] or not app.callers then
    return true
  end
  local context = contexts.of(app.client(caller.name))
  local there, err = context.ledger:limits(caller.name)
  local ok = there
  for _, change in ipairs(there and changes_of(caller, there) or {}) do
    if ok then
      ok, err = limits.change(context, change)
    end
  end
  held[caller] = ok and true
  return ok and true, err
end

local BYTES = 32

-- A word that nobody can guess. Returns 64 hex digits.
function _M.new_token()
  return (assert(core.random_bytes(BYTES)):gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

-- The word by which a gateway signs its links; made where it is not there, and then the
-- same for ever: a link outlives a restart. Returns 64 hex digits, and what is wrong.
function _M.secret_of(folder)
  local path = folder .. "/secret"
  local file, why = io.open(path, "rb")
  local text = file and file:read "*a"
  if not file and core.private_file(path) then
    file, why = io.open(path, "wb")
    text = _M.new_token()
    why = file and not file:write(text) and "it cannot be written" or why
  end
  if not file or not file:close() or #text ~= 2 * BYTES then
    return nil, ("%s is no secret (%s): remove it"):format(path, why or "cut off")
  end
  return text
end

return _M
