-- The page of a gateway: HTML, CSS and JavaScript of its own, from the folder beside
-- this file. They are read when this module is loaded, which may be as a user who can
-- read more than nginx's workers can. And what it asks: the account of its caller, and
-- the price of an order.

local body = require "starvideos.gateway.body"
local callers = require "starvideos.gateway.callers"
local contexts = require "starvideos.context"
local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
local fingerprint = require "starvideos.base.fingerprint"
local json = require "starvideos.base.json"
local openai = require "starvideos.gateway.openai"
local requests = require "starvideos.gateway.request"
local validate = require "starvideos.order.validate"

local _M = {}

-- Nothing that another host serves, no script in the text, and no frame around.
local POLICY = "default-src 'none'; script-src 'self'; style-src 'self';"
  .. " img-src 'self'; media-src 'self'; connect-src 'self';"
  .. " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

local types = {
  html = "text/html; charset=utf-8",
  css = "text/css; charset=utf-8",
  js = "text/javascript; charset=utf-8",
  svg = "image/svg+xml",
}

--- The names of all files.
_M.names = { "index.html", "style.css", "icon.svg", "page.js", "api.js", "dom.js",
  "fields.js", "form.js", "item.js", "kept.js", "orders.js", "streams.js",
  "submission.js", "text.js" }

local files = {}
for _, name in ipairs(_M.names) do
  local text = file.beside("page/" .. name)
  files[name] = { text = text, type = types[name:match "%l+$"],
    etag = ('"%x-%x"'):format(#text, fingerprint.of(text)) }
end

local function is_known(etag, known)
  for one in (known or ""):gmatch '[^,%s]+' do
    if one == "*" or one:gsub("^W/", "") == etag then
      return true
    end
  end
  return false
end

-- A file, as it is answered. `name`: `/` for the page itself. `known`: the header
-- If-None-Match. Returns status: 200, or 304 where the browser has it, and headers by
-- name, or a refusal, and text, for 200.
function _M.file(name, known)
  local found = files[name == "/" and "index.html" or name]
  if not found then
    return nil, requests.refusal { status = 404, code = "not_found",
      message = "the page has no such file" }
  end
  local headers = {
    ["Content-Type"] = found.type,
    ["Content-Security-Policy"] = POLICY,
    ["X-Content-Type-Options"] = "nosniff",
    ["Referrer-Policy"] = "no-referrer",
    ["Cache-Control"] = "no-cache",
    ETag = found.etag,
  }
  if is_known(found.etag, known) then
    return 304, headers
  end
  return 200, headers, found.text
end

--- Serve a file of the page.
function _M.serve(_, request, name)
  local status, headers, text = _M.file(name, request.header "If-None-Match")
  if not status then
    return nil, headers
  end
  ngx.status = status
  for header, value in pairs(headers) do
    ngx.header[header] = value
  end
  if text then
    ngx.header["Content-Length"] = #text
    ngx.print(text)
  end
  return true
end

local MILLION = 1000000

-- The fields of an order, without old names of others.
local labelled = {}
for _, field in ipairs(core.fields()) do
  labelled[#labelled + 1] = field.label and field or nil
end

-- The limit of spend of the caller's file, as the ledger counts it.
local function spend_of(caller, usage)
  for _, limit in ipairs(usage.spend) do
    if limit.kind == "spend/" .. (caller.limits.per or "") then
      return { cap = limit.cap / MILLION, used = limit.used / MILLION,
        left = math.max(0, limit.cap - limit.used) / MILLION,
        per = caller.limits.per, currency = limit.currency }
    end
  end
end

--- Show the caller's account: `caller` (a name), `has_session` (whether callers
-- have tokens), `currency` (nil: nothing has a price), `fields` (all there are: `name`,
-- `kind`, `label`, `help`), `models` (rows of the catalog: what each takes, within which
-- limits), `spend` (`cap`, `used`, `left`
-- in units of the `currency`, `per`: day or total) and `open` (`cap`, `used`:
-- orders that have not ended), each nil where there is no such limit.
function _M.show(app, request)
  local caller = request.caller
  local context = contexts.of(app.client(caller.name))
  local usage
  local ok, err = callers.hold_cap(app, caller)
  if ok then
    usage, err = context.ledger:usage()
  end
  if not usage then
    return nil, requests.refusal_of(err)
  end
  local open = caller.limits.open
  return 200, {
    caller = caller.name,
    has_session = app.callers ~= nil,
    currency = context.prices and context.prices.currency,
    fields = labelled,
    models = app.catalog:models(),
    spend = spend_of(caller, usage),
    open = open and { cap = open, used = usage.open } or nil,
  }
end

-- Faults are an answer here, not a refusal.
local function faulty(refusal, fields)
  if refusal.violations then
    return 200, { violations = openai.retold(refusal, fields).violations }
  end
  return nil, refusal
end

--- Check an order and price it, without placing it: `cost` and `currency`, or
-- `why` it has no price, or the `violations` for which it would be refused.
function _M.price(app, request)
  local fields, refusal = body.read(request)
  if not fields then
    return nil, refusal
  end
  local params
  params, refusal = openai.params_of(fields, app.catalog)
  if not params then
    return faulty(refusal, fields)
  end
  local context = contexts.of(app.client(request.caller.name))
  local ok, err = validate.check(context, params)
  if not ok then
    return faulty(requests.refusal_of(err), fields)
  end
  local price, why = validate.price(context, params,
    app.catalog:model(params.model))
  return 200, { cost = price and price.cost, currency = price and price.currency,
    why = why, violations = json.empty_list }
end

return _M
