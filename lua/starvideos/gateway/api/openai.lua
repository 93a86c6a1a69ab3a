--- OpenAI's `/v1/videos`. Each function takes app, request and what its path
-- names, and returns a status and what to send, or nil and a refusal.
-- @module starvideos.gateway.api.openai

local idempotency = require "starvideos.gateway.idempotency"
local body = require "starvideos.gateway.body"
local json = require "starvideos.base.json"
local openai = require "starvideos.gateway.dialect.openai"
local orders = require "starvideos.gateway.orders"
local refusals = require "starvideos.gateway.refusal"

local _M = {}

-- Of orders on a page.
local USUAL_LIMIT = 20
local MAX_LIMIT = 100

-- Of the orders on a page, which has one at least; the next page has the others.
local MAX_BYTES = 524288

local function refuse(param, message)
  return nil, refusals.new { status = 400, code = "invalid_value", param = param,
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
    return nil, refusals.new { status = 404, code = "model_not_found",
      param = "model", message = "there is no model of this name" }
  end
  return 200, model_object(row)
end

--- Place an order.
function _M.create(app, request)
  local wanted, refusal = idempotency.of(request)
  if not wanted then
    return nil, refusal
  end
  local fields, entry
  fields, refusal = body.read(request)
  if fields then
    wanted.params, refusal = openai.params_of(fields, app.catalog)
  end
  if not wanted.params then
    return nil, refusal
  end
  entry, refusal = orders.place(app, request.caller, wanted)
  if not entry then
    return nil, openai.retold(refusal, fields)
  end
  return 200, openai.object(entry, app.catalog)
end

--- Show an order.
function _M.retrieve(app, request, id)
  local entry, refusal = orders.find(app, request.caller, id)
  if not entry then
    return nil, refusal
  end
  return 200, openai.object(entry, app.catalog)
end

local directions = { asc = true, desc = true }

-- Which page is asked for.
local function page_of(args)
  local limit = args.limit == nil and USUAL_LIMIT
    or tonumber(tostring(args.limit):match "^%d%d?%d?$")
  local order = args.order == nil and "desc" or args.order
  if not limit or limit < 1 or limit > MAX_LIMIT then
    return refuse("limit", ("limit must be a whole number from 1 to %d"):format(
      MAX_LIMIT))
  elseif not directions[order] then
    return refuse("order", "order must be asc or desc, by the time of the order")
  elseif args.after == true then
    return refuse("after", "after must be the id of the last video of the page"
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
    local object = openai.object(entry, app.catalog)
    bytes = bytes + #json.encode(object)
    if index > 1 and bytes > MAX_BYTES then
      more = true
      break
    end
    data[index] = object
  end
  return 200, { object = "list", data = data[1] and data or json.empty_list,
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
