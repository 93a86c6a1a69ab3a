--- Keeps secrets out of whatever people and logs get to see.
-- @module starvideos.redact

local _M = {}

-- Shorter keys than this stand in ordinary words too; blanking them out
-- would only spoil the message.
local SHORTEST_KEY = 4

--- Take the query out of every URL in a text: the query of a temporary link
-- is its signature. Slashes may be escaped as in JSON.
-- @tparam string text
-- @tparam[opt] function digest gets a query and returns letters and digits by
--   which to tell it from others; by default all queries look the same
-- @treturn string
function _M.urls(text, digest)
  return (text:gsub("(%a[%w+.-]*:\\?/\\?/[^%s\"'<>?]*)%?([^%s\"'<>]*)",
    function(address, query)
      if query:find "^%[redacted%-?%w*%]$" then
        return nil
      end
      return address .. "?[redacted" .. (digest and "-" .. digest(query) or "")
        .. "]"
    end))
end

--- Replace an API key wherever it stands in a text.
-- @tparam ?string text
-- @tparam ?string key
-- @treturn ?string
function _M.key(text, key)
  if not text or not key or #key < SHORTEST_KEY then
    return text
  end
  if not text:find(key, 1, true) then
    return text
  end
  return (text:gsub(key:gsub("%p", "%%%0"), "[key]"))
end

return _M
