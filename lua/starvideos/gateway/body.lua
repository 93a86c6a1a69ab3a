--- The fields of a request's body: a JSON object or a form, read alike. What
-- announces itself as anything else is not looked at.
-- @module starvideos.gateway.body

local c_locale = require "starvideos.base.c_locale"
local json = require "starvideos.base.json"
local multipart = require "starvideos.gateway.multipart"
local refusals = require "starvideos.gateway.refusal"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- As in the configuration of nginx, which refuses more before anybody reads it.
local MAX_BYTES = 65536

-- Tables in tables; a request of the provider's has two.
local MAX_DEPTH = 8

local NOTHING = "; nothing was ordered"

local function refuse(status, code, message, param)
  return nil, refusals.new { status = status, code = code, param = param,
    message = message .. NOTHING }
end

-- What is wrong with a value, or a name, wherever in the fields it stands.
local function fault_of(value, depth)
  if type(value) == "string" and not utf8.is_valid(value) then
    return "is not valid UTF-8 without a NUL"
  elseif type(value) ~= "table" then
    return nil
  elseif depth == 0 then
    return ("is nested deeper than %d levels"):format(MAX_DEPTH)
  end
  for name, item in pairs(value) do
    local fault = fault_of(name, 0) or fault_of(item, depth - 1)
    if fault then
      return fault
    end
  end
end

local function check(fields)
  local fault = fault_of(fields, MAX_DEPTH)
  if not fault then
    return fields
  end
  for name, value in pairs(fields) do
    if not fault_of(name, 0) and fault_of(value, MAX_DEPTH - 1) then
      return refuse(400, "invalid_value", name .. " " .. fault, name)
    end
  end
  return refuse(400, "invalid_value", "the name of a field " .. fault)
end

local function read_json(text)
  text = text:gsub("^\239\187\191", "") -- a byte order mark
  local fields, why = json.decode(text)
  if why then
    return refuse(400, "invalid_json", "the body is no valid JSON: " .. why)
  elseif type(fields) ~= "table" or fields[1] ~= nil then
    return refuse(400, "invalid_json", "the body is no JSON object")
  end
  return fields
end

-- Puts one part of a form where its name says: `a`, `a[]` (one more of a list),
-- `a[b]` (a field of an object). nil where that contradicts another part.
local function put(fields, name, value)
  local base, key = name:match "^([^%[%]]+)%[([^%[%]]*)%]$"
  if not base then
    if fields[name] ~= nil or name:find "[%[%]]" then
      return nil
    end
    fields[name] = value
    return true
  end
  local inner = fields[base] or {}
  if type(inner) ~= "table" or (inner[1] == nil) == (key == "")
    and next(inner) ~= nil or key ~= "" and inner[key] ~= nil then
    return nil
  end
  inner[key ~= "" and key or #inner + 1] = value
  fields[base] = inner
  return true
end

local function read_form(text, content_type)
  local boundary, why = multipart.boundary(content_type)
  local parts
  if boundary then
    parts, why = multipart.parse(text, boundary)
  end
  if not parts then
    return refuse(400, "invalid_form", why)
  end
  local fields = {}
  for _, part in ipairs(parts) do
    local name = utf8.valid(part.name)
    -- Browsers send what nobody filled in as empty.
    local is_there = part.value ~= "" or (part.filename or "") ~= ""
    if is_there and part.filename then
      return refuse(400, "upload_not_supported", name .. " is an uploaded file,"
        .. " and the provider takes media as URLs only: put the file on a web"
        .. " server and give its URL", name)
    elseif is_there and not put(fields, part.name, part.value) then
      return refuse(400, "invalid_form", name .. " does not go with the other"
        .. " parts of the form: give a field once, as name, name[] for each of"
        .. " a list, or name[field]", name)
    end
  end
  return fields
end

local readers = { ["application/json"] = read_json,
  ["multipart/form-data"] = read_form }

local charsets = { ["utf-8"] = true, utf8 = true, ["us-ascii"] = true }

--- Read fields.
-- @tparam ?string content_type the header
-- @tparam string text the body
-- @treturn ?table fields; those of a form are texts, lists of texts, and tables
--   of texts
-- @treturn ?table refusal
function _M.parse(content_type, text)
  local kind = c_locale.lower(content_type or ""):match "^%s*([^;%s]*)"
  local charset = c_locale.lower(content_type or ""):match ';%s*charset="?([^";%s]*)'
  if charset and not charsets[charset] then
    return refuse(415, "unsupported_media_type", "the charset of the Content-Type"
      .. " must be UTF-8")
  elseif not readers[kind] then
    return refuse(415, "unsupported_media_type", "the Content-Type must be"
      .. " application/json or multipart/form-data")
  elseif #text > MAX_BYTES then
    return refuse(413, "too_large", ("the body has more than %d bytes; media are"
      .. " given as URLs"):format(MAX_BYTES))
  end
  local fields, refusal = readers[kind](text, content_type)
  if not fields then
    return nil, refusal
  end
  return check(fields)
end

--- Read the fields of a request.
-- @tparam table request
-- @treturn ?table fields, see @{parse}
-- @treturn ?table refusal
function _M.read(request)
  local encoding = request.header "Content-Encoding" or "identity"
  if c_locale.lower(encoding) ~= "identity" then
    return refuse(415, "unsupported_media_type", "the body is compressed, as its"
      .. " Content-Encoding says: send it as it is")
  end
  return _M.parse(request.header "Content-Type", request.body())
end

return _M
