-- The media origin: another host than the API, which needs no key. It serves
-- `/media/ID.mp4` by signed links that expire, whole or by Range.

local responses = require "starvideos.sandbox.response"
local scenarios = require "starvideos.sandbox.scenario"
local url = require "starvideos.sandbox.url"

local _M = {}

local REASONS = {
  [400] = "AuthorizationNotWanted", [403] = "AccessDenied",
  [404] = "NoSuchKey", [410] = "Gone", [500] = "InternalError",
  [503] = "ServiceUnavailable",
}

local function denied(status)
  return {
    status = status,
    headers = { ["content-type"] = "application/xml" },
    body = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>'
      .. REASONS[status] .. "</Code></Error>\n",
  }
end

local function size_of(path)
  local file = io.open(path, "rb")
  local size = file and file:seek("end")
  if file then
    file:close()
  end
  return size
end

-- First and last byte asked for; false where there are none; nil for the whole file,
-- which is also the answer to several ranges.
local function range_of(header, size)
  local first, last = header:match("^%s*bytes%s*=%s*(%d*)%-(%d*)%s*$")
  if not first or first .. last == "" then
    return nil
  end
  if first == "" then
    last = tonumber(last)
    return last > 0 and math.max(0, size - last), size - 1
  end
  first, last = tonumber(first), tonumber(last)
  if last and last < first then
    return nil
  end
  return first < size and first, math.min(last or size - 1, size - 1)
end

local function validators(provider, task, other)
  return {
    etag = '"' .. url.digest("etag", task.id .. (other and "x" or ""))
      .. '"',
    ["last-modified"] = responses.date(task.at + provider.seconds
      - (other and 60 or 0)),
  }
end

local function wanted_range(request, size, validator)
  local range, condition = request.headers.range, request.headers["if-range"]
  if not range or condition and condition ~= validator.etag
    and condition ~= validator["last-modified"] then
    return nil
  end
  return range_of(range, size)
end

local function file_response(provider, request, task, effect)
  local path = provider.clips:find(task)
  local size = path and size_of(path)
  if not size then
    return denied(404)
  end
  size = effect.half and math.floor(size / 2) or size
  local headers = validators(provider, task, effect.other_file)
  local first, last
  if not effect.no_range then
    headers["accept-ranges"] = "bytes"
    first, last = wanted_range(request, size, headers)
  end
  if first == false then
    headers["content-range"] = "bytes */" .. size
    return { status = 416, headers = headers, body = "" }
  end
  headers["content-type"] = effect.type or "video/mp4"
  if first then
    headers["content-range"] = ("bytes %d-%d/%d"):format(first, last, size)
  end
  first, last = first or 0, first and last or size - 1
  return { status = headers["content-range"] and 206 or 200,
    headers = headers, file = { path = path, offset = first,
      length = last - first + 1, other = effect.other_file } }
end

local function faulty(provider, request, effect)
  if effect.refuse then
    return denied(effect.refuse)
  end
  if effect.redirect then
    local _, path, query = url.split(request.path)
    return { status = 302, body = "",
      headers = { location = provider.media_url .. path .. "?" .. query } }
  end
  if effect.body then
    return { status = 200, headers = { ["content-type"] = effect.type },
      body = effect.body }
  end
end

local function served(provider, request, task)
  local effect, n = scenarios.effect_on(provider.store,
    provider:scenarios_of(task), "media", task.id)
  effect = effect or {}
  local response = faulty(provider, request, effect)
    or file_response(provider, request, task, effect)
  response.abort = effect.abort
  response.unsized = effect.unsized
  response.pace = effect.pace and n
  response.delay = scenarios.delay(provider, effect, n)
  return response
end

function _M.handle(provider, request)
  local _, path, query = url.split(request.path)
  local id = url.decode(path):match("^/media/(.+)%.mp4$")
  local task = id and provider:task(id)
  provider.log:media(task and id, request)
  if request.headers.authorization then
    return denied(400)
  end
  if not task or request.method ~= "GET" and request.method ~= "HEAD" then
    return denied(404)
  end
  if not url.verify(provider.secret, path, query, provider.clock()) then
    return denied(403)
  end
  return served(provider, request, task)
end

return _M
