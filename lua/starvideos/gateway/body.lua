-- The fields of a request's body: a JSON object or a form, read alike. What announces
-- itself as anything else is not looked at. Of a form (RFC 7578, RFC 2046) what
-- leniency could turn half a request into an order of is refused: lines end with CRLF,
-- and the last boundary must be there, with nothing but blanks after it. Each byte is
-- looked at a bounded number of times.

local c_locale = require "starvideos.base.c_locale"
local json = require "starvideos.base.json"
local requests = require "starvideos.gateway.request"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- More parts, or more bytes of headers in one part, than any request needs.
local MAX_PARTS = 100
local MAX_HEADERS = 4096

local TOKEN = "[%w!#$%%&'*+.^_`|~%-]+"

-- What may stand in a boundary, 70 characters at most (RFC 2046).
local BOUNDARY = "^[%w'()+_,%-./:=? ]*[%w'()+_,%-./:=?]$"
local MAX_BOUNDARY = 70

-- The value of a parameter and where the next one begins. Browsers write a
-- quote as %22, older clients as \".
local function parameter_value(text, at)
  local token, next_at = text:match("^(" .. TOKEN .. ")()", at)
  if token then
    return token, next_at
  elseif text:sub(at, at) ~= '"' then
    return nil
  end
  local from = at + 1
  repeat
    local mark = text:find('[\\"]', from)
    if mark and text:byte(mark) == 34 then
      return (text:sub(at + 1, mark - 1):gsub('\\([\\"])', "%1")), mark + 1
    end
    from = mark and mark + 2
  until not from
end

-- `value; a=b; c="d"`: the value in lower case, and its parameters. nil where
-- it is not written so, or says something twice.
local function split(text)
  local value, at = text:match "^%s*([^;%s]+)%s*()"
  local parameters = {}
  while value and at <= #text do
    local name, value_at = text:match("^;%s*(" .. TOKEN .. ")=()", at)
    local found, next_at
    if name then
      found, next_at = parameter_value(text, value_at)
    end
    name = name and c_locale.lower(name)
    if not found or parameters[name] then
      return nil
    end
    parameters[name] = found
    at = text:match("^%s*()", next_at)
  end
  return value and c_locale.lower(value), parameters
end

-- The boundary that a Content-Type names. Returns why there is none.
function _M.boundary(content_type)
  local _, parameters = split(content_type)
  local boundary = parameters and parameters.boundary
  if not boundary then
    return nil, "the Content-Type of the form names no boundary"
  elseif #boundary > MAX_BOUNDARY or not boundary:find(BOUNDARY) then
    return nil, "the boundary of the form is not a valid one"
  end
  return boundary
end

-- Where the next delimiter begins, where it ends with its line, and whether it
-- is the last. What only begins like one is content.
local function find_delimiter(body, delimiter, from)
  local first, last = body:find(delimiter, from, true)
  while first do
    local close, next_at = body:match("^(%-?%-?)[ \t]*()", last + 1)
    if close == "--" then
      return first, next_at, true
    elseif close == "" and body:sub(next_at, next_at + 1) == "\r\n" then
      return first, next_at + 2, false
    end
    first, last = body:find(delimiter, last + 1, true)
  end
end

-- The headers of the part that begins there, and where its content does.
local function read_headers(body, at)
  local head = body:sub(at, at + MAX_HEADERS + 3)
  local ending = head:find("\r\n\r\n", 1, true)
  if not ending then
    return nil, ("a part of the form has no headers that end within %d bytes")
      :format(MAX_HEADERS)
  end
  local headers = {}
  for line in (head:sub(1, ending - 1) .. "\r\n"):gmatch "(.-)\r\n" do
    local name, value = line:match("^(" .. TOKEN .. "):[ \t]*(.*)$")
    name, value = name and c_locale.lower(name), value and value:match "^.*[^ \t]" or ""
    if not name or value:find "[%z\1-\8\10-\31\127]" or headers[name] then
      return nil, "a part of the form has a header that is not valid"
    end
    headers[name] = value
  end
  return headers, at + ending + 3
end

-- RFC 7578 wants the bytes as they are.
local plain = { ["7bit"] = true, ["8bit"] = true, binary = true }

local function part_of(headers)
  local kind, parameters = split(headers["content-disposition"] or "")
  local encoding = headers["content-transfer-encoding"]
  if kind ~= "form-data" or not parameters.name or parameters.name == "" then
    return nil, "a part of the form has no name"
  elseif encoding and not plain[c_locale.lower(encoding)] then
    return nil, "a part of the form has a Content-Transfer-Encoding: send it as"
      .. " it is"
  end
  return { name = parameters.name,
    filename = parameters.filename or parameters["filename*"] }
end

local function read_part(body, at, delimiter)
  local headers, content = read_headers(body, at)
  if not headers then
    return nil, content
  end
  local part, why = part_of(headers)
  if not part then
    return nil, why
  end
  local ending, next_at, is_last = find_delimiter(body, delimiter, content)
  if not ending then
    return nil, "the form ends before its last boundary: it was cut off"
  end
  part.value = body:sub(content, ending - 1)
  return part, next_at, is_last
end

-- Take a body apart. Returns list of parts, in their order: `name`, `value`, and
-- `filename` where the part is an uploaded file, and why it is none, for the caller to
-- read.
function _M.parts(body, boundary)
  local delimiter = "\r\n--" .. boundary
  -- The first delimiter needs no line before it.
  body = "\r\n" .. body
  local first, at, is_last = find_delimiter(body, delimiter, 1)
  if not first then
    return nil, "the form does not have the boundary that its Content-Type names"
  end
  local parts = {}
  while not is_last do
    if #parts == MAX_PARTS then
      return nil, ("the form has more than %d parts"):format(MAX_PARTS)
    end
    local part
    part, at, is_last = read_part(body, at, delimiter)
    if not part then
      return nil, at
    end
    parts[#parts + 1] = part
  end
  local rest = body:match("^%s*()[^%s]", at)
  if rest then
    return nil, ("the form goes on after its last boundary, at byte %d"):format(
      rest - #"\r\n")
  end
  return parts
end

-- As in the configuration of nginx, which refuses more before anybody reads it.
local MAX_BYTES = 65536

-- Tables in tables; a request of the provider's has two.
local MAX_DEPTH = 8

local NOTHING = "; nothing was ordered"

local function refuse(status, code, message, param)
  return nil, requests.refusal { status = status, code = code, param = param,
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
  local boundary, why = _M.boundary(content_type)
  local parts
  if boundary then
    parts, why = _M.parts(text, boundary)
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

-- Read fields. Returns fields; those of a form are texts, lists of texts, and tables of
-- texts.
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

-- Read the fields of a request. Returns fields, see `parse`.
function _M.read(request)
  local encoding = request.header "Content-Encoding" or "identity"
  if c_locale.lower(encoding) ~= "identity" then
    return refuse(415, "unsupported_media_type", "the body is compressed, as its"
      .. " Content-Encoding says: send it as it is")
  end
  return _M.parse(request.header "Content-Type", request.body())
end

return _M
