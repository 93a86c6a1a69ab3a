--- What can be written into nginx.conf or a unit of systemd and stays one value.
-- @module starvideos.nginx.syntax

local _M = {}

--- Whether a value can be written there.
-- @tparam string value
-- @tparam[opt=false] boolean is_word whether it stands without quotes; all in a unit
--   does
-- @treturn boolean false where a character would end it, or be read as something else: a
--   variable, a specifier (`%n`) or a place of a Lua search path (`;`, `?`)
function _M.takes(value, is_word)
  return value ~= "" and not value:find "[%c\"\\$;?]"
    and not (is_word and value:find "[%s'{}#%%]")
end

return _M
