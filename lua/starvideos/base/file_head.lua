--- The head of a media host's answer: whether a file follows, of which version
-- it is, and whether it is the rest of one that was saved in part.
-- @module starvideos.base.file_head

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"

local _M = {}

--- Whether a file may follow; what it is its bytes tell.
-- @tparam number status
-- @treturn boolean
function _M.may_be_file(status)
  return status == 200 or status == 203 or status == 206
end

--- Whether it is not called a page or a refusal, either.
-- @tparam number status
-- @tparam table headers with lowercase names
-- @treturn boolean
function _M.is_file(status, headers)
  local kind = c_locale.lower(headers["content-type"] or "")
  return _M.may_be_file(status)
    and not kind:find "^%s*text/" and not kind:find "^%s*application/json"
end

--- What tells one version of a file from another, as far as the head says it.
-- @tparam number status 200, 203 or 206
-- @tparam table headers
-- @treturn table `etag`, `last_modified`, `total` (bytes of the whole file)
function _M.version(status, headers)
  local total = tonumber(headers["content-length"])
  local range = status == 206 and headers["content-range"]
  if range then
    total = select(3, core.content_range(range))
  end
  return { etag = headers.etag, last_modified = headers["last-modified"],
    total = total }
end

--- Compare the head of a 206 with what was saved. A field that one of the two
-- lacks says nothing.
-- @tparam table headers
-- @tparam number offset bytes that were saved; 0 where no part was asked for:
--   then the body may be the whole, and not say so
-- @tparam table version of what was saved
-- @treturn ?string nil where the body is the rest; else the reason of a
--   failure: protocol where it is another part, changed where it is of
--   another version
function _M.mismatch(headers, offset, version)
  local first = core.content_range(headers["content-range"])
  if first ~= offset and (first or offset > 0) then
    return "protocol"
  end
  for name, value in pairs(_M.version(206, headers)) do
    if version[name] ~= nil and version[name] ~= value then
      return "changed"
    end
  end
  return nil
end

return _M
