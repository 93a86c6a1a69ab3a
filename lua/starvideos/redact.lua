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
  return (text:gsub("(%f[%w+.-][%w+.-]*:\\?/\\?/[^%s\"<>?]*)%?([^%s\"<>]*)",
    function(address, query)
      if query:find "^%[redacted%-?%w*%]$" then
        return nil
      end
      return address .. "?[redacted" .. (digest and "-" .. digest(query) or "")
        .. "]"
    end))
end

--- Take the queries out of all texts in a table of plain values.
-- @param value
-- @return the value itself where there is nothing to take out, else a copy
function _M.tree(value)
  if type(value) == "string" then
    return _M.urls(value)
  elseif type(value) ~= "table" then
    return value
  end
  local copy = value
  for name, item in pairs(value) do
    local clean = _M.tree(item)
    if clean ~= item and copy == value then
      copy = setmetatable({}, getmetatable(value))
      for other, kept in pairs(value) do
        copy[other] = kept
      end
    end
    if clean ~= item then
      copy[name] = clean
    end
  end
  return copy
end

--- Replace an API key wherever it stands in a text.
-- @tparam ?string text
-- @tparam ?string key
-- @treturn ?string
function _M.key(text, key)
  if not text or not key or #key < SHORTEST_KEY then
    return text
  end
  -- Hardly any text holds the key: a plain look for it up to its first slash,
  -- which may be escaped, spares the pattern.
  if not text:find(key:match "^[^/]*", 1, true) then
    return text
  end
  local pattern = key:gsub("%p", "%%%0"):gsub("%%/", "\\?/")
  return (text:gsub(pattern, "[key]"))
end

return _M
