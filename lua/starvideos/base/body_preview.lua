--- The beginning of an unexpected body, short enough for a message.
-- @module starvideos.base.body_preview

local _M = {}

-- Enough to recognise the error page of a gateway.
local BYTES = 160
-- Of which that is taken: a page may begin with blanks.
local READ = 4096

--- The beginning of a text, cut between characters, never inside one.
-- @tparam string text
-- @tparam number bytes
-- @treturn string
function _M.shortened(text, bytes)
  if #text <= bytes then
    return text
  end
  local following = text:byte(bytes + 1)
  while bytes > 0 and following >= 0x80 and following < 0xC0 do
    bytes = bytes - 1
    following = text:byte(bytes + 1)
  end
  return text:sub(1, bytes) .. "…"
end

--- The beginning of a body in any encoding, as a message can show it.
-- @tparam string body
-- @treturn string
function _M.of(body)
  local text = _M.shortened(body:sub(1, READ):gsub("[%c%s]+", " "), BYTES)
  local beyond_utf8 = text:gsub("[\194-\244][\128-\191]+", "")
  if beyond_utf8:find("[\128-\255]") then
    text = text:gsub("[\128-\255]+", "?")
  end
  return text
end

return _M
