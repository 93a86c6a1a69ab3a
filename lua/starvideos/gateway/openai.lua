-- OpenAI's `/v1/videos`: its fields and objects, and the provider's fields beside them.
-- What cannot be said in the provider's fields is refused, never guessed.

local body = require "starvideos.gateway.body"
local json = require "starvideos.base.json"
local orders = require "starvideos.gateway.orders"
local requests = require "starvideos.gateway.request"

local _M = {}

-- In pixels; the shorter side is the resolution's number. nil where the ratio
-- gives no whole number of them.
local function size_of(resolution, ratio)
  local short = tonumber(resolution:match "^(%d+)p$")
  local across, down = ratio:match "^(%d+):(%d+)$"
  if not short or not across then
    return nil
  end
  across, down = tonumber(across), tonumber(down)
  local least = math.min(across, down)
  local width, height = short * across / least, short * down / least
  if width % 1 == 0 and height % 1 == 0 then
    return ("%.0fx%.0f"):format(width, height)
  end
end

-- The sizes of a model. `row`: the model's row of the catalog. Returns list of `size`,
-- `resolution`, `ratio`, maybe empty.
function _M.sizes(row)
  local sizes = {}
  for _, resolution in ipairs(row.resolution and row.resolution.values or {}) do
    for _, ratio in ipairs(row.ratio and row.ratio.values or {}) do
      sizes[#sizes + 1] = { size = size_of(resolution, ratio),
        resolution = resolution, ratio = ratio }
    end
  end
  return sizes
end

-- What a size is for the provider. `row`: the model's row of the catalog. `size`: as
-- the caller gave it. Returns of `resolution` and `ratio`; nil where the model does not
-- have that size.
function _M.find_size(row, size)
  for _, found in ipairs(_M.sizes(row)) do
    if found.size and found.size == size then
      return found
    end
  end
end

-- The size of what was ordered; what the order leaves out is as the provider documents
-- it. `row`: the model's row of the catalog. Returns nil where nobody knows.
function _M.size(row, params)
  local resolution = params.resolution or row.resolution
    and row.resolution.default
  local ratio = params.ratio or row.ratio and row.ratio.default
  return resolution and ratio and size_of(resolution, ratio)
end

local NOTHING = "; nothing was ordered"

-- How a value looks in a message; a long one is the caller's own business.
local function shown(value)
  local text = type(value) == "string" and '"' .. value .. '"'
    or type(value) == "table" and "a list or an object" or tostring(value)
  return #text > 60 and "a long text" or text
end

-- A whole number, also as the text that forms and OpenAI's clients make of it.
local function whole(value)
  if type(value) == "string" and value:find "^%d%d?%d?%d?$" then
    return tonumber(value)
  end
  return value
end

-- OpenAI's fields: each puts the provider's into params, or returns a code and a
-- sentence. `row`: of the catalog, nil for an unknown model, which is refused
-- later. `of`: the provider's fields that one stands for.
local mapped = {
  { name = "seconds", of = { "duration" } },
  { name = "size", of = { "resolution", "ratio" } },
  { name = "input_reference", of = { "referenceImages" } },
}

local put = {}

function put.seconds(params, seconds)
  params.duration = whole(seconds)
  if type(params.duration) ~= "number" then
    return "type", ('seconds must be a whole number, such as "8"; got %s')
      :format(shown(seconds))
  end
end

-- What to say instead of a size that the model does not have.
local function size_refusal(row, size)
  local names = {}
  for _, found in ipairs(_M.sizes(row)) do
    names[#names + 1] = found.size
  end
  if names[1] then
    return "unsupported_value", ("size must be one of %s for %s; got %s"):format(
      table.concat(names, ", "), row.name, shown(size))
  end
  return "not_supported", ("%s has no sizes: leave size out%s"):format(row.name,
    row.ratio and row.ratio.values and " and give ratio, one of "
      .. table.concat(row.ratio.values, ", ") or "")
end

function put.size(params, size, row)
  local found = row and _M.find_size(row, size)
  if found then
    params.resolution, params.ratio = found.resolution, found.ratio
  elseif row then
    return size_refusal(row, size)
  end
end

function put.input_reference(params, reference)
  local url = reference
  if type(reference) == "table" then
    url = reference.image_url
    for name in pairs(reference) do
      if name ~= "image_url" then
        url = nil
      end
    end
  end
  if type(url) ~= "string" then
    return "not_supported", "input_reference must be the URL of one image, or"
      .. " {image_url: URL}, for the gateway keeps no files; several go into"
      .. " referenceImages"
  end
  params.referenceImages = { url }
end

-- A provider's field that was given beside the one that stands for it.
local function conflict(fields, field)
  for _, name in ipairs(field.of) do
    if fields[name] ~= nil then
      return "conflict", ("%s and %s were both given: leave one out"):format(
        field.name, name)
    end
  end
end

local function row_of(catalog, model)
  return type(model) == "string" and catalog:model(model) or nil
end

local function map(fields, params, row)
  local violations = {}
  for _, field in ipairs(mapped) do
    local given = fields[field.name]
    if given ~= nil then
      params[field.name] = nil
      local code, message = conflict(fields, field)
      if not code then
        code, message = put[field.name](params, given, row)
      end
      violations[#violations + 1] = code and { field = field.name, code = code,
        message = message }
    end
  end
  return violations
end

local function sentence(violations)
  local messages = {}
  for index, violation in ipairs(violations) do
    messages[index] = violation.message
  end
  return table.concat(messages, "\n") .. NOTHING
end

local function refuse(violations)
  return requests.refusal { status = 400, code = violations[1].code,
    param = violations[1].field, message = sentence(violations),
    violations = violations }
end

-- The provider's fields of a create. `fields`: as the caller sent them; left unchanged.
-- Returns params, which the catalog has still to check.
function _M.params_of(fields, catalog)
  local params = {}
  for name, value in pairs(fields) do
    params[name] = value
  end
  params.duration = whole(params.duration)
  local violations = map(fields, params, row_of(catalog, fields.model))
  if violations[1] then
    return nil, refuse(violations)
  end
  return params
end

-- A refusal of the catalog, about the fields that the caller has given. `fields`: as
-- the caller sent them.
function _M.retold(refusal, fields)
  if not refusal.violations then
    return refusal
  end
  local violations = {}
  for index, violation in ipairs(refusal.violations) do
    local told = {}
    for name, value in pairs(violation) do
      told[name] = value
    end
    for _, field in ipairs(mapped) do
      local name = field.of[1]
      if fields[name] == nil and told.field:match "^[^%[]*" == name then
        told.field = field.name
        told.message = told.message:gsub("^" .. name .. "[^%s]*", field.name)
      end
    end
    violations[index] = told
  end
  return refuse(violations)
end

local function seconds_of(row, params)
  local duration = params.duration
  if row and row.referenceVideos and row.referenceVideos.sets_output
    and params.referenceVideos then
    return nil -- the reference's, whatever was asked for
  elseif not duration and row then
    duration = row.duration and row.duration.default
  end
  return duration and ("%.0f"):format(duration)
end

local function or_null(value)
  return value == nil and json.null or value
end

-- An order as OpenAI's API shows it.
function _M.object(entry, catalog)
  local row = row_of(catalog, entry.model)
  local params = entry.params
  return {
    id = entry.id,
    object = "video",
    model = entry.model,
    status = entry.status,
    progress = entry.progress,
    created_at = entry.created_at,
    completed_at = or_null(entry.completed_at),
    expires_at = or_null(entry.expires_at),
    error = or_null(entry.error),
    prompt = or_null(params.prompt),
    seconds = or_null(seconds_of(row, params)),
    size = or_null(row and _M.size(row, params)),
    remixed_from_video_id = json.null,
  }
end

-- A refusal as OpenAI's API shows it.
function _M.error(refusal)
  return { error = { message = refusal.message, type = refusal.type,
    code = or_null(refusal.code), param = or_null(refusal.param),
    violations = refusal.violations } }
end

-- Of orders on a page.
local USUAL_LIMIT = 20
local MAX_LIMIT = 100

-- Of the orders on a page, which has one at least; the next page has the others.
local MAX_BYTES = 524288

local function refuse_argument(param, message)
  return nil, requests.refusal { status = 400, code = "invalid_value", param = param,
    message = message }
end

local function model_object(row)
  return { id = row.name, object = "model", created = 0, owned_by = "starvideos" }
end

--- List the models.
function _M.models(app)
  local data = {}
  for index, row in ipairs(app.catalog:models()) do
    data[index] = model_object(row)
  end
  return 200, { object = "list", data = data }
end

--- Show a model.
function _M.model(app, _, name)
  local row = app.catalog:model(name)
  if not row then
    return nil, requests.refusal { status = 404, code = "model_not_found",
      param = "model", message = "there is no model of this name" }
  end
  return 200, model_object(row)
end

--- Place an order.
function _M.create(app, request)
  local wanted, refusal = orders.idempotency(request)
  if not wanted then
    return nil, refusal
  end
  local fields, entry
  fields, refusal = body.read(request)
  if fields then
    wanted.params, refusal = _M.params_of(fields, app.catalog)
  end
  if not wanted.params then
    return nil, refusal
  end
  entry, refusal = orders.place(app, request.caller, wanted)
  if not entry then
    return nil, _M.retold(refusal, fields)
  end
  return 200, _M.object(entry, app.catalog)
end

--- Show an order.
function _M.retrieve(app, request, id)
  local entry, refusal = orders.find(app, request.caller, id)
  if not entry then
    return nil, refusal
  end
  return 200, _M.object(entry, app.catalog)
end

local directions = { asc = true, desc = true }

-- Which page is asked for.
local function page_of(args)
  local limit = args.limit == nil and USUAL_LIMIT
    or tonumber(tostring(args.limit):match "^%d%d?%d?$")
  local order = args.order == nil and "desc" or args.order
  if not limit or limit < 1 or limit > MAX_LIMIT then
    return refuse_argument("limit", ("limit must be a whole number from 1 to %d"):format(
      MAX_LIMIT))
  elseif not directions[order] then
    return refuse_argument("order", "order must be asc or desc, by the time of the order")
  elseif args.after == true then
    return refuse_argument("after", "after must be the id of the last video of the page"
      .. " before")
  end
  return { limit = limit, order = order, after = args.after }
end

--- List a caller's orders, a page at a time.
function _M.list(app, request)
  local page, refusal = page_of(request.args())
  if not page then
    return nil, refusal
  end
  local entries, more = orders.list(app, request.caller, page)
  if not entries then
    return nil, more
  end
  local data, bytes = {}, 0
  for index, entry in ipairs(entries) do
    local object = _M.object(entry, app.catalog)
    bytes = bytes + #json.encode(object)
    if index > 1 and bytes > MAX_BYTES then
      more = true
      break
    end
    data[index] = object
  end
  return 200, { object = "list", data = json.list(data),
    first_id = data[1] and data[1].id or json.null,
    last_id = data[1] and data[#data].id or json.null, has_more = more }
end

--- Delete an order that has ended, with its video.
function _M.delete(app, request, id)
  local entry, refusal = orders.delete(app, request.caller, id)
  if not entry then
    return nil, refusal
  end
  return 200, { id = entry.id, object = "video.deleted", deleted = true }
end

return _M
