-- Why the provider would refuse the parameters of a create.

local limits = require "starvideos.sandbox.limits"
local responses = require "starvideos.sandbox.response"
local url = require "starvideos.sandbox.url"
local utf8 = require "starvideos.base.utf8"

local _M = {}

local function contains(list, value)
  for _, item in ipairs(list) do
    if item == value then
      return true
    end
  end
  return false
end

-- An absent field and an empty array are the same.
local function given(params, field)
  local value = params[field]
  if type(value) == "table" and next(value) == nil then
    return nil
  end
  return value
end

-- The name of a field that must be there and is not.
local function missing(params, row)
  for _, field in ipairs(limits.fields) do
    local value, limit = params[field.name], row[field.name]
    local is_blank = value == nil or field.kind == "text"
      and type(value) == "string" and not value:find "%S"
    if field.required and is_blank
      and not (type(limit) == "table" and limit.default) then
      return field.name
    end
  end
end

local function unknown_field(params, row)
  local known = { model = true }
  for _, field in ipairs(limits.fields) do
    known[field.name] = field.everywhere or row[field.name] ~= nil
    known[field.alias or field.name] = known[field.name]
      and (not field.alias or row.aliases)
  end
  for name in pairs(params) do
    if not known[name] then
      return ("Unsupported parameter: %s"):format(tostring(name))
    end
  end
end

-- Characters of valid UTF-8; nil where it is none.
local function length_of(text)
  if type(text) == "string" and utf8.is_valid((text:gsub("%z", ""))) then
    return select(2, text:gsub("[^\128-\191]", ""))
  end
end

-- What is wrong with a value, by the kind of its field.
local of_kind = {}

function of_kind.text(name, value, most)
  local length = length_of(value)
  if not length then
    return ("Unsupported value: %s must be a string of valid UTF-8"):format(name)
  elseif most and length > most then
    return ("Unsupported value: %s has %d characters, at most %d")
      :format(name, length, most)
  end
end

function of_kind.integer(name, value, range)
  if type(value) ~= "number" or value % 1 ~= 0
    or value < range[1] or value > range[2] then
    return ("Unsupported value: %s must be an integer from %d to %d")
      :format(name, range[1], range[2])
  end
end

function of_kind.choice(name, value, choices)
  if not contains(choices, value) then
    return ("Unsupported value: %s must be one of %s")
      :format(name, table.concat(choices, ", "))
  end
end

local function values(params, row)
  for _, field in ipairs(limits.fields) do
    local check, value = of_kind[field.kind], params[field.name]
    if check and value ~= nil
      and not (field.led and _M.video_leads(params, row)) then
      local fault = check(field.name, value, row[field.name])
      if fault then
        return fault
      end
    end
  end
end

local function aliases(params)
  for _, field in ipairs(limits.fields) do
    local old, new = params[field.alias], params[field.name]
    if old ~= nil and new ~= nil and old ~= new then
      return ("Parameter conflict: %s and %s differ"):format(field.name,
        field.alias)
    end
  end
end

-- The first fault that `check` finds in the lists of references.
local function in_references(check)
  return function(params, row)
    for _, field in ipairs(limits.fields) do
      local limit = field.kind == "references" and row[field.name]
      local fault = limit and check(params, field.name, limit)
      if fault then
        return fault
      end
    end
  end
end

local function frames(params)
  local first = params.first_image or params.image
  local last = params.last_image or params.lastFrameImage
  if first == nil and last == nil then
    return nil
  end
  if first == nil or last == nil then
    return ("Missing parameter: %s must come with %s"):format(
      first == nil and "first_image" or "last_image",
      first == nil and "last_image" or "first_image")
  end
  if not url.is_web(first) or not url.is_web(last) then
    return "Unsupported value: first_image and last_image must be URLs"
  end
  for _, field in ipairs(limits.fields) do
    if field.kind == "references" and given(params, field.name) ~= nil then
      return ("Parameter conflict: first_image and last_image exclude %s")
        :format(field.name)
    end
  end
end

local function is_list_of_urls(value)
  if type(value) ~= "table" then
    return false
  end
  local count = 0
  for _, item in pairs(value) do
    count = count + 1
    if not url.is_web(item) then
      return false
    end
  end
  return count == #value
end

local function count(params, field, limit)
  local list = given(params, field)
  if list == nil then
    return nil
  elseif not is_list_of_urls(list) then
    return ("Unsupported value: %s must be an array of URLs"):format(field)
  end
  local max = limit.beside_video and given(params, "referenceVideos") ~= nil
    and limit.beside_video or limit.max
  if #list > max then
    return ("Unsupported value: %s holds %d, at most %d")
      :format(field, #list, max)
  end
end

local function one_medium(facts, limit)
  local bytes, seconds = facts.bytes, facts.duration
  local side = facts.width and facts.height
    and math.min(facts.width, facts.height)
  return bytes and limit.bytes and bytes > limit.bytes
    or bytes and limit.bytes_below and bytes >= limit.bytes_below
    or seconds and limit.seconds
      and (seconds < limit.seconds[1] or seconds > limit.seconds[2])
    or side and limit.pixels
      and (side < limit.pixels[1] or side > limit.pixels[2])
end

-- The documents limit references, and say nothing of the size of a frame.
local function media(params, field, limit)
  local bytes, seconds = 0, 0
  for _, item in ipairs(params[field] or {}) do
    local facts = url.facts(item)
    if one_medium(facts, limit) then
      return ("Unsupported value: %s is too large, too small, too long or "
        .. "too short: %s"):format(field, item)
    end
    bytes = bytes + (facts.bytes or 0)
    seconds = seconds + (facts.duration or 0)
  end
  if bytes > (limit.total_bytes or bytes)
    or seconds > (limit.total_seconds or seconds) then
    return ("Unsupported value: %s are too large or too long together")
      :format(field)
  end
end

-- In this order; the first that finds a fault answers.
local CHECKS = { unknown_field, values, aliases, in_references(count), frames,
  in_references(media) }

-- Whether a reference video decides the length and ratio of the output.
function _M.video_leads(params, row)
  return row.referenceVideos ~= nil and row.referenceVideos.leads == true
    and given(params, "referenceVideos") ~= nil
end

-- The response that refuses the parameters of a create at a path; nil if they are valid.
function _M.of(params, path, models)
  if params.model == nil then
    return responses.missing "model"
  end
  local row = models[params.model]
  if not row or row.path ~= path then
    return responses.refused(("Unsupported value: model %s is not served at %s")
      :format(tostring(params.model), path))
  end
  local field = missing(params, row)
  if field then
    return responses.missing(field)
  end
  for _, check in ipairs(CHECKS) do
    local reason = check(params, row)
    if reason then
      return responses.refused(reason)
    end
  end
end

return _M
