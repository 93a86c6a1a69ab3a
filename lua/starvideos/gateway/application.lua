-- What the handlers of a gateway share: its settings, callers and clients. Made
-- before nginx starts its workers, and again at a reload.
--
-- * `folder`: where everything lies; `settings`: see `read_settings`
-- * `callers`: see `starvideos.gateway.callers`; nil without a file of them
-- * `secret`: of links, 64 hex digits
-- * `api_key`: of the provider
-- * `prices`: as the client takes them, or nil
-- * `catalog`: of `starvideos.core`, the models of the edition
-- * `now()`: Unix seconds
-- * `shared`: the dictionary of all nginx workers, whose content may be lost
-- * `on_event`: what the clients tell, see `starvideos.gateway.worker`
-- * `generation`: of the start or reload that made it; `control`: of the worker in
--   this nginx worker, see `client:work`
-- * `client(name)`: the client whose account is a caller, nil: of no account

local callers = require "starvideos.gateway.callers"
local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local json = require "starvideos.base.json"
local prices = require "starvideos.provider.prices"
local starvideos = require "starvideos"

local _M = {}

local function is_text(value)
  return type(value) == "string" and value ~= "", "a text"
end

local function is_path(value)
  return type(value) == "string" and value:find "^/" ~= nil, "an absolute path"
end

local function is_number(value)
  return type(value) == "number" and value > 0, "a number above 0"
end

local function is_boolean(value)
  return type(value) == "boolean", "true or false"
end

local function are_texts(value)
  local fine = type(value) == "table" and value[1] ~= nil
  for _, item in pairs(fine and value or {}) do
    fine = fine and is_text(item)
  end
  return fine, "a list of names"
end

local fields = { base_url = is_text, edition = is_text, insecure_http = is_boolean,
  private_links = is_boolean, max_video = is_number, max_answer = is_number,
  ca_file = is_path, ledger = is_text, callers = is_path, prices = is_path,
  hosts = are_texts, public_url = is_text, is_tls = is_boolean, port = is_number,
  keep_days = is_number, keep_bytes = is_number, interval = is_number, folder = is_path }

local required = { "hosts", "ledger" }

local function fault_in(settings)
  for name, value in pairs(settings) do
    if not fields[name] then
      return ("%s is no setting"):format(tostring(name))
    end
    local fine, wanted = fields[name](value)
    if not fine then
      return ("%s must be %s"):format(name, wanted)
    end
  end
  for _, name in ipairs(required) do
    if settings[name] == nil then
      return name .. " is missing"
    end
  end
end

-- Read what a gateway was started with: settings.json, which the command `gateway`
-- writes. Paths are absolute, times in seconds, sizes in bytes.
--
-- * `base_url`, `edition`, `insecure_http`, `private_links`, `max_video`, `max_answer`,
--   `ca_file`: of the provider, as `starvideos.new` takes them; nil: its defaults
-- * `ledger`: a file or a URL
-- * `callers`, `prices`: files, or nil
-- * `hosts`: list of names that requests may be for, with their ports
-- * `public_url`: what callers see, nil: as they asked
-- * `is_tls`, `port`: how nginx listens
-- * `keep_days`, `keep_bytes`: of videos, nil: for ever, and as much as there is
-- * `interval`: between two polls of a task, nil: the library's
-- * `folder`: of the videos, the secret and nginx's own files; nil: that of
--   settings.json
-- Returns settings, with `folder` always, and what is wrong.
function _M.read_settings(folder)
  local name = folder .. "/settings.json"
  local file, why = io.open(name, "rb")
  if not file then
    return nil, "cannot read " .. why
  end
  local found, fault = json.decode(file:read "*a")
  file:close()
  if type(found) ~= "table" then
    fault = fault and "no JSON: " .. fault or "no JSON object"
  else
    fault = fault_in(found)
  end
  if fault then
    return nil, name .. ": " .. fault
  end
  found.folder = found.folder or folder
  return found
end

local function read(path)
  local file, why = io.open(path, "rb")
  if not file then
    return nil, "cannot read " .. why
  end
  local text = file:read "*a"
  file:close()
  return text
end

-- Clients are made by each nginx worker, when they are first asked for.
local function client_maker(app)
  local clients = {}
  return function(name)
    local client = clients[name or ""]
    if not client then
      local wanted = app.settings
      client = starvideos.assert(starvideos.new { runtime = "ngx",
        api_key = app.api_key, base_url = wanted.base_url,
        edition = wanted.edition, ledger = wanted.ledger, prices = app.prices,
        ca_file = wanted.ca_file,
        account = name, on_event = app.on_event,
        insecure_http = wanted.insecure_http,
        private_links = wanted.private_links, max_video = wanted.max_video,
        max_answer = wanted.max_answer })
      clients[name or ""] = client
    end
    return client
  end
end

-- What a parser makes of a file.
local function parsed(path, parse)
  local text, why = read(path)
  if not text then
    return nil, why
  end
  local result, fault = parse(text)
  return result, fault and path .. ":\n" .. fault
end

-- As a table, so that all clients have the same.
local function read_prices(path, catalog)
  local found, why = prices.load(path, catalog)
  return found and json.decode((read(path):gsub("^\239\187\191", ""))), why
end

-- Fills in what lies in files; nil and a sentence where one is wrong.
local function read_files(app)
  local wanted = app.settings
  local why
  app.secret, why = callers.secret_of(app.folder)
  if not why and wanted.callers then
    app.callers, why = parsed(wanted.callers, callers.parse)
  end
  if not why and wanted.prices then
    app.prices, why = read_prices(wanted.prices, app.catalog)
  elseif not why and app.callers and app.callers:need_prices() then
    why = wanted.callers .. " has a spend, which needs prices: pass --prices"
  end
  return not why and app or nil, why
end

-- Read what is in a gateway's folder. Returns what is wrong.
function _M.new(folder)
  local wanted, why = _M.read_settings(folder)
  local fine = wanted
  if wanted then
    fine, why = databases.check(wanted.ledger)
  end
  if not fine then
    return nil, why
  end
  local app = { folder = wanted.folder, settings = wanted,
    api_key = os.getenv "STARVIDEOS_API_KEY", now = ngx.time,
    shared = ngx.shared.starvideos_gateway }
  app.client = client_maker(app)
  app.catalog = core.catalog { edition = wanted.edition }
  return read_files(app)
end

return _M
