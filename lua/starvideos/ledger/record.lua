--- What a caller gave, as the ledger keeps it. The parameters are one text for
-- the same order whatever the order of its fields, fit to be read, without
-- secrets.
-- @module starvideos.ledger.record

local core = require "starvideos.core"
local json = require "starvideos.json"
local redact = require "starvideos.redact"

local _M = {}

-- Tells two queries apart without showing either: 32 bits, below which the
-- product stays exact in a float.
local PRIME, FACTOR = 4294967291, 65599

local function digest(text)
  local sum = #text
  for i = 1, #text do
    sum = (sum * FACTOR + text:byte(i)) % PRIME
  end
  return ("%08x"):format(sum)
end

local write

local function write_list(list, api_key)
  local items = {}
  for index, value in ipairs(list) do
    items[index] = write(value, api_key)
  end
  return "[" .. table.concat(items, ",") .. "]"
end

local function write_object(object, api_key)
  local names, items = {}, {}
  for name in pairs(object) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for index, name in ipairs(names) do
    items[index] = json.encode(tostring(name)) .. ":"
      .. write(object[name], api_key)
  end
  return "{" .. table.concat(items, ",") .. "}"
end

function write(value, api_key)
  if type(value) == "string" then
    return json.encode(redact.key(redact.urls(value, digest), api_key))
  elseif type(value) ~= "table" then
    return json.encode(value)
  end
  return #value > 0 and write_list(value, api_key)
    or write_object(value, api_key)
end

--- The text for the fields of a request.
-- @tparam table fields as they are sent
-- @tparam ?string api_key which must not be in it
-- @treturn string JSON
function _M.text(fields, api_key)
  return write(fields, api_key)
end

--- A path as it reads from wherever the next process runs.
-- @tparam ?string path
-- @treturn ?string
function _M.path(path)
  local directory = path and not path:find "^/" and core.directory()
  return directory and directory .. "/" .. path or path
end

return _M
