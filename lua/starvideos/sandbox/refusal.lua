--- Why the provider would refuse the parameters of a create.
-- @module starvideos.sandbox.refusal

local responses = require "starvideos.sandbox.response"
local text = require "starvideos.sandbox.text"
local url = require "starvideos.sandbox.url"

local _M = {}

local REFERENCES = { "referenceImages", "referenceVideos", "referenceAudios" }
local ALIASES = { image = "first_image", lastFrameImage = "last_image" }

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

local function required(params, row)
  local prompt = params.prompt
  if prompt == nil or type(prompt) == "string" and not prompt:find("%S") then
    return "prompt"
  end
  if params.duration == nil and not row.duration.default then
    return "duration"
  end
end

local function unknown_field(params, row)
  local known = { model = true, prompt = true, duration = true, ratio = true,
    first_image = true, last_image = true,
    resolution = row.resolution ~= nil }
  for _, field in ipairs(REFERENCES) do
    known[field] = row[field] ~= nil
  end
  for alias in pairs(ALIASES) do
    known[alias] = row.aliases
  end
  for field in pairs(params) do
    if not known[field] then
      return ("Unsupported parameter: %s"):format(tostring(field))
    end
  end
end

local function prompt(params, row)
  local length = type(params.prompt) == "string" and text.length(params.prompt)
  if not length then
    return "Unsupported value: prompt must be a string of valid UTF-8"
  end
  if row.prompt and length > row.prompt then
    return ("Unsupported value: prompt has %d characters, at most %d")
      :format(length, row.prompt)
  end
end

local function duration(params, row)
  local value = params.duration
  if value == nil or _M.video_leads(params, row) then
    return nil
  end
  local low, high = row.duration[1], row.duration[2]
  if type(value) ~= "number" or value % 1 ~= 0
    or value < low or value > high then
    return ("Unsupported value: duration must be an integer from %d to %d")
      :format(low, high)
  end
end

local function choice(field)
  return function(params, row)
    local value = params[field]
    if value == nil or field == "ratio" and _M.video_leads(params, row) then
      return nil
    end
    if not contains(row[field], value) then
      return ("Unsupported value: %s must be one of %s")
        :format(field, table.concat(row[field], ", "))
    end
  end
end

local function aliases(params)
  for alias, field in pairs(ALIASES) do
    local old, new = params[alias], params[field]
    if old ~= nil and new ~= nil and old ~= new then
      return ("Parameter conflict: %s and %s differ"):format(field, alias)
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
  for _, field in ipairs(REFERENCES) do
    if given(params, field) ~= nil then
      return ("Parameter conflict: first_image and last_image exclude %s")
        :format(field)
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

local function references(field)
  return function(params, row)
    local list, limit = given(params, field), row[field]
    if list == nil then
      return nil
    end
    if not is_list_of_urls(list) then
      return ("Unsupported value: %s must be an array of URLs"):format(field)
    end
    local max = limit.max
    if limit.beside_video and given(params, "referenceVideos") ~= nil then
      max = limit.beside_video
    end
    if #list > max then
      return ("Unsupported value: %s holds %d, at most %d")
        :format(field, #list, max)
    end
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

-- A frame has the size limit of a reference image.
local function media_of(params, field)
  if field ~= "referenceImages" then
    return params[field] or {}
  end
  local list = {}
  for _, item in ipairs(params[field] or {}) do
    list[#list + 1] = item
  end
  list[#list + 1] = params.first_image or params.image
  list[#list + 1] = params.last_image or params.lastFrameImage
  return list
end

local function media(field)
  return function(params, row)
    local limit, bytes, seconds = row[field], 0, 0
    for _, item in ipairs(limit and media_of(params, field) or {}) do
      local facts = url.facts(item)
      if one_medium(facts, limit) then
        return ("Unsupported value: %s is too large, too small, too long or "
          .. "too short: %s"):format(field, item)
      end
      bytes = bytes + (facts.bytes or 0)
      seconds = seconds + (facts.duration or 0)
    end
    if limit and (bytes > (limit.total_bytes or bytes)
      or seconds > (limit.total_seconds or seconds)) then
      return ("Unsupported value: %s are too large or too long together")
        :format(field)
    end
  end
end

-- In this order; the first that finds a fault answers.
local CHECKS = {
  unknown_field, prompt, duration, choice "ratio", choice "resolution",
  aliases, references "referenceImages", references "referenceVideos",
  references "referenceAudios", frames, media "referenceImages",
  media "referenceVideos", media "referenceAudios",
}

--- Does a reference video decide the length and shape of the output?
-- @tparam table params
-- @tparam table row of the limits
-- @treturn boolean
function _M.video_leads(params, row)
  return row.referenceVideos ~= nil and row.referenceVideos.leads == true
    and given(params, "referenceVideos") ~= nil
end

--- Look for a fault in a create's parameters.
-- @tparam table params the decoded body
-- @tparam string path the endpoint it was sent to, below the base
-- @tparam table models rows of the limits, by name
-- @treturn ?table the response that refuses it; nil where nothing is wrong
function _M.of(params, path, models)
  if params.model == nil then
    return responses.missing "model"
  end
  local row = models[params.model]
  if not row or row.path ~= path then
    return responses.refused(("Unsupported value: model %s is not served at %s")
      :format(tostring(params.model), path))
  end
  local field = required(params, row)
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
