--- Words that nobody can guess, as hex digits; and the one of a gateway by which it
-- signs its links.
-- @module starvideos.gateway.secret

local core = require "starvideos.core"

local _M = {}

local BYTES = 32

--- Make one.
-- @treturn string 64 hex digits
function _M.new()
  return (assert(core.random_bytes(BYTES)):gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

--- That of a gateway; made where it is not there, and then the same for ever: a link
-- outlives a restart.
-- @tparam string folder
-- @treturn ?string 64 hex digits
-- @treturn ?string what is wrong
function _M.of(folder)
  local path = folder .. "/secret"
  local file, why = io.open(path, "rb")
  local text = file and file:read "*a"
  if not file and core.private_file(path) then
    file, why = io.open(path, "wb")
    text = _M.new()
    why = file and not file:write(text) and "it cannot be written" or why
  end
  if not file or not file:close() or #text ~= 2 * BYTES then
    return nil, ("%s is no secret (%s): remove it"):format(path, why or "cut off")
  end
  return text
end

return _M
