--- What a gateway was started with: settings.json, which the command `gateway`
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
-- @module starvideos.gateway.settings

local json = require "starvideos.base.json"

local _M = {}

local function text(value)
  return type(value) == "string" and value ~= "", "a text"
end

local function path(value)
  return type(value) == "string" and value:find "^/" ~= nil, "an absolute path"
end

local function number(value)
  return type(value) == "number" and value > 0, "a number above 0"
end

local function boolean(value)
  return type(value) == "boolean", "true or false"
end

local function list_of_texts(value)
  local fine = type(value) == "table" and value[1] ~= nil
  for _, item in pairs(fine and value or {}) do
    fine = fine and text(item)
  end
  return fine, "a list of names"
end

local fields = { base_url = text, edition = text, insecure_http = boolean,
  private_links = boolean, max_video = number, max_answer = number,
  ca_file = path, ledger = text, callers = path, prices = path,
  hosts = list_of_texts, public_url = text, is_tls = boolean, port = number,
  keep_days = number, keep_bytes = number, interval = number, folder = path }

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

--- Read them.
-- @tparam string folder of settings.json
-- @treturn ?table settings, with `folder` always
-- @treturn ?string what is wrong
function _M.read(folder)
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

return _M
