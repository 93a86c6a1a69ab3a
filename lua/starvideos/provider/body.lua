-- The request that a create sends: the caller's fields, brought to the API's form, and
-- nothing that the caller did not ask for.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local errors = require "starvideos.errors"
local json = require "starvideos.base.json"

local _M = {}

-- The names of the fields that hold media, in lists and one by one, and the
-- present names of those that have old ones.
local references, frames, renamed = {}, {}, {}
for _, field in ipairs(core.fields()) do
  if field.kind == "media" then
    references[#references + 1] = field.name
  elseif field.kind == "frame" or field.kind == "old_frame" then
    frames[#frames + 1] = field.name
  end
  renamed[field.name] = field.renamed
end

-- The endpoint of a model that the catalog does not have.
local function endpoint_of(model)
  if type(model) == "string" and model:find("^starvideos") then
    return "/v1/starvideos/videos"
  end
  return "/v1/videos/videos"
end

-- A reference with facts about its medium is sent as its URL alone.
local function url_of(reference)
  return type(reference) == "table" and reference.url or reference
end

local function urls_of(list)
  if type(list) ~= "table" then
    return list
  end
  local urls = {}
  for index, reference in pairs(list) do
    urls[index] = url_of(reference)
  end
  return next(urls) ~= nil and urls or nil
end

local function fold_aliases(fields)
  for old, new in pairs(renamed) do
    if fields[new] == nil or fields[new] == fields[old] then
      fields[new], fields[old] = fields[new] or fields[old], nil
    end
  end
end

local function look_for_inexact(value, field, found, depth)
  if type(value) == "number" and not json.is_exact(value) then
    found[#found + 1] = { field = field, code = "out_of_range", actual = value,
      limit = 2 ^ 53 - 1, message = ("%s is %s, a whole number so large that"
        .. " its last digits may already be lost: pass it as a text"):format(
        field, c_locale.number("%.17g", value)) }
  elseif type(value) == "table" and depth > 0 then
    for name, item in pairs(value) do
      look_for_inexact(item, (type(name) == "number" and "%s[%s]" or "%s.%s")
        :format(field, tostring(name)), found, depth - 1)
    end
  end
end

-- Deeper than any request; the search ends here in a table that contains
-- itself.
local DEPTH = 10

-- Find the numbers that may differ from what the caller wrote. Returns list of
-- violations.
function _M.inexact(fields)
  local found = {}
  for name, value in pairs(fields) do
    look_for_inexact(value, tostring(name), found, DEPTH)
  end
  return found
end

-- A URL, or a list that is not empty.
local function is_given(value)
  return value ~= nil and value ~= json.null
    and (type(value) ~= "table" or next(value) ~= nil)
end

-- How the documents call what an order makes a video of. `params`: as given by the
-- caller, or as they are sent. Returns mode: `text`, `image reference`, `frames`, `video
-- reference` or `image + video`, and behind it `with audio` where sounds go with it.
function _M.mode(params)
  local images = is_given(params.referenceImages)
  local mode = is_given(params.referenceVideos)
    and (images and "image + video" or "video reference")
    or images and "image reference" or "text"
  for _, name in ipairs(frames) do
    mode = is_given(params[name]) and "frames" or mode
  end
  return is_given(params.referenceAudios) and mode .. " with audio" or mode
end

-- What of an order's fields is sent: all but those that the provider ignores, which a
-- relay in front of it may refuse. `warnings`: of the check; nil: there was none.
local function sent_of(fields, warnings)
  local sent = {}
  for name, value in pairs(fields) do
    sent[name] = value
  end
  for _, warning in ipairs(warnings or {}) do
    if warning.code == "ignored_field" then
      sent[warning.field] = nil
    end
  end
  return sent
end

-- Build the body and find the endpoint of a create. `params`: as given by the caller;
-- left unchanged. `row`: the model's row of the catalog. `warnings`: about them, or nil.
-- `endpoint`: path below the base URL, where the caller names one. Returns request:
-- `body` (JSON), its `endpoint`, and the `fields` of the order, of which the body lacks
-- what is ignored; or err of kind validation.
function _M.build(params, row, warnings, endpoint)
  local fields = {}
  for name, value in pairs(params) do
    fields[name] = value
  end
  for _, name in ipairs(references) do
    fields[name] = urls_of(fields[name])
  end
  for _, name in ipairs(frames) do
    fields[name] = url_of(fields[name])
  end
  if row and row.frames and row.frames.legacy_aliases then
    fold_aliases(fields)
  end
  local inexact = _M.inexact(fields)
  if inexact[1] then
    return nil, errors.new { kind = "validation", message = inexact[1].message,
      violations = inexact }
  end
  local ok, body = pcall(json.encode, sent_of(fields, warnings))
  if not ok and tostring(body):find "interrupted!$" then
    error(body, 0) -- Ctrl-C is no fault of the request
  end
  if not ok then
    return nil, errors.new {
      kind = "validation",
      message = ("the request cannot be written as JSON: %s; nothing was sent")
        :format((tostring(body):gsub("^.-:%d+: ", ""))),
    }
  end
  return {
    body = body,
    endpoint = endpoint or row and row.endpoint or endpoint_of(params.model),
    fields = fields,
  }
end

return _M
