--- Who may order, and how much.
-- @module starvideos.gateway.callers

local json = require "starvideos.json"

local _M = {}

--- Read a file of callers.
-- @tparam string text
-- @treturn ?table callers
-- @treturn ?string what is wrong
function _M.parse(text)
  local found = json.decode(text)
  return type(found) == "table" and found.callers
    or nil, "the file of callers is no JSON object with callers"
end

return _M
