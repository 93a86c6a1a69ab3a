--- The page of a gateway: HTML, CSS and JavaScript of its own, from the folder
-- beside this file. They are read when this module is loaded, which may be as a
-- user who can read more than nginx's workers can.
-- @module starvideos.gateway.page

local file = require "starvideos.nginx.file"
local fingerprint = require "starvideos.base.fingerprint"
local refusals = require "starvideos.gateway.refusal"

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
    etag = ('"%x-%x"'):format(#text, fingerprint(text)) }
end

local function is_known(etag, known)
  for one in (known or ""):gmatch '[^,%s]+' do
    if one == "*" or one:gsub("^W/", "") == etag then
      return true
    end
  end
  return false
end

--- A file, as it is answered.
-- @tparam string name `/` for the page itself
-- @tparam ?string known the header If-None-Match
-- @treturn ?number status: 200, or 304 where the browser has it
-- @treturn table headers by name, or a refusal
-- @treturn ?string text, for 200
function _M.file(name, known)
  local found = files[name == "/" and "index.html" or name]
  if not found then
    return nil, refusals.new { status = 404, code = "not_found",
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

return _M
