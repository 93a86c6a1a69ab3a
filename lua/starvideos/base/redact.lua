-- Keeps secrets out of all that people and logs can see: the API key, and what may be
-- secret in a URL, which is its user, its password and all that follows its path. The
-- path itself is shown.

local _M = {}

-- Shorter keys, and shorter parts of a URL, are parts of ordinary words too; to
-- replace them would only spoil the message.
local SHORTEST_SECRET = 4

-- Slashes may be escaped as in JSON, or be too many or too few: other programs
-- may still take such a text for a URL.
local SCHEME = "%f[%w+.-][%w+.-]+:[\\/]+"

-- What a secret was replaced by before.
local MARK = "^%[redacted%-?%w*%]"

-- What stands behind a URL in a sentence or in JSON.
local CLOSING = "^[\\\"'<>)%]},.]*"

-- Where the parts of a URL end: in a text also at a space.
local in_text = { authority = "^[^%s/?#;\\]*", path = "^[^%s?#;]*",
  beyond = "[%s?#;]", rest = "^%S*" }
local alone = { authority = "^[^/?#;\\]*", path = "^[^?#;]*",
  beyond = "[?#;]", rest = "^.*" }

local function mark(secret, digest)
  return "[redacted" .. (digest and "-" .. digest(secret) or "") .. "]"
end

-- No digest of a password, which could be guessed from it.
local function shown_authority(authority)
  local host = authority:match "^.*@(.*)$"
  return host and "[redacted]@" .. host or authority
end

-- Where a password contains a slash, its beginning stands where a port would.
local function is_odd(authority)
  local host = (authority:match "^.*@(.*)$" or authority):gsub("^%b[]", "")
  return host:match('^[^"<>]*'):find ":[^%d:]" ~= nil
end

-- Whether a URL ends with a mark of ours: it may stand in JSON, where the text
-- continues. (Older versions left in place what followed a quote.)
local function is_over(text, at, ends)
  if ends ~= in_text then
    return at > #text
  end
  local closing = text:match("^[\\\"'<>)%]},.:;]*", at)
  return text:find("^%s", at + #closing) ~= nil or at + #closing > #text
    or closing:find '"[,:}%]]' ~= nil
end

-- Hides what follows the path: all of it may be a signature, whichever
-- character it begins with. Returns what to show, and where the text
-- continues.
local function hide_rest(text, at, digest, ends)
  local before = text:match(MARK, at)
  if before and is_over(text, at + #before, ends) then
    return before, at + #before
  end
  local rest = text:match(ends.rest, at)
  local closing = ends == in_text and #rest:reverse():match(CLOSING) or 0
  local secret = rest:sub(1, #rest - closing)
  return secret == "" and "" or mark(secret, digest), at + #secret
end

-- The authority that begins somewhere, and whether another URL begins in the
-- path behind it.
local function read_authority(text, at, ends)
  local authority = text:match(ends.authority, at)
  local following = text:find(SCHEME, at)
  if not following then
    return authority
  end
  authority = authority:sub(1, following - at)
  return authority,
    not text:sub(at + #authority, following - 1):find(ends.beyond)
end

-- Hides one URL whose scheme has been read. Returns what to show, and where the
-- text continues: maybe with a URL in the path of this one.
local function hide(text, at, digest, ends)
  local authority, leads_on = read_authority(text, at, ends)
  if is_odd(authority) then
    return hide_rest(text, at, digest, ends)
  end
  at = at + #authority
  local shown = shown_authority(authority)
  if leads_on then
    return shown, at
  end
  local path = text:match(ends.path, at)
  local sign = text:match("^[?#;]?", at + #path)
  shown, at = shown .. path .. sign, at + #path + #sign
  if sign == "" then
    return shown, at
  end
  local rest, after = hide_rest(text, at, digest, ends)
  return shown .. rest, after
end

-- Hides all URLs of a text; the first one from a place where it has begun
-- already, if there is one.
local function hide_all(text, begun, digest, ends)
  local shown, at = {}, 1
  while true do
    local last = begun or select(2, text:find(SCHEME, at))
    if not last then
      shown[#shown + 1] = text:sub(at)
      return table.concat(shown)
    end
    shown[#shown + 1], begun = text:sub(at, last), nil
    shown[#shown + 1], at = hide(text, last + 1, digest, ends)
  end
end

-- Most texts have none, and a plain search is quick.
local function has_slash(text)
  return text:find("/", 1, true) or text:find("\\", 1, true)
end

-- Take what may be secret out of every URL in a text: user and password, query,
-- fragment, and what follows a semicolon. A URL ends at a space. `digest`: gets a
-- secret and returns letters and digits by which to tell it from others; by default all
-- look the same.
function _M.urls(text, digest)
  return has_slash(text) and hide_all(text, nil, digest, in_text) or text
end

-- The same for a text that is one URL, whatever characters are in it, and even if its
-- scheme is missing.
function _M.url(text, digest)
  if not has_slash(text) and not text:find("@", 1, true) then
    return text
  end
  local begun = select(2, text:find("^%s*" .. SCHEME))
  if not begun and text:find "^%S+$" and text:find "[/@]" then
    begun = #text:match("^/*")
  end
  return hide_all(text, begun, digest, begun and alone or in_text)
end

-- The address of a server as a person typed it, right or wrong, without anything that
-- may be a password. `with_user`: keep the name of the user (default false).
function _M.address(text, with_user)
  local scheme, rest = text:match("^(%s*" .. SCHEME .. ")(.*)$")
  local address, beyond = (rest or text):match "^([^?#;]*)(.*)$"
  if beyond:find("@", 1, true) then -- of a password that holds such a character
    return (scheme or "") .. "[redacted]"
  end
  local authority = address:match "^[^/]*"
  local user = with_user and authority:find("@", 1, true)
    and authority:match "^[^:@]*"
  local server = address:gsub("^.*@", "")
  if server:gsub("%[[%w.:%%]*%]", ""):find ":%d*[^%d,/\\]" then -- half of a password
    server = "[redacted]"
  end
  return (scheme or "") .. (user and user .. "@" or "") .. server
end

local PASSWORD = "([Pp][Aa][Ss][Ss][Ww]?[Oo]?[Rr]?[Dd]?%s?=%s?)"

-- A word as `postgres:user:password@host`, which is neither a URL nor a path.
local function without_login(word)
  local before, rest = word:match "^([\"'(<]*)[%w+.~%%-]+:[^\\/].*@(.*)$"
  return before and before .. "[redacted]@" .. rest
end

-- The same for a text that may quote an address that was mistyped, or is of another
-- kind: also what stands before an @ behind a colon, and the value of `password=`.
-- Where in a source an error was raised is no business of its reader: it is left out.
function _M.text(text)
  text = _M.urls(text)
  if text:find(":%d+: ") then
    text = text:gsub('%[string "[^\n]-"%]:%d+: ', ""):gsub("%S*%.lua:%d+: ", "")
  end
  if text:find("@", 1, true) then
    text = text:gsub("%S+", without_login)
  end
  if text:find("=", 1, true) then
    text = text:gsub(PASSWORD .. "'[^']*'?", "%1[redacted]")
      :gsub(PASSWORD .. "[^%s'%[]%S*", "%1[redacted]")
  end
  return text
end

-- The values in what follows a path, and the password before a host.
local function parts_of(url)
  local begins = select(2, url:find "^[%w+.-]*:/+") or 0
  local parts = { url:match("^[^:/@]*:(.*)@", begins + 1) }
  for part in (url:match "[?#;](.*)" or ""):gmatch "[^&#?;]+" do
    parts[#parts + 1] = part:match "=(.*)$" or part
  end
  return parts
end

-- Take the secret parts of a URL out of a text: a page or a library may have quoted
-- them.
function _M.parts(text, url)
  for _, part in ipairs(parts_of(url)) do
    local decoded = part:gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
    for _, secret in ipairs { part, decoded } do
      if #secret >= SHORTEST_SECRET then
        text = text:gsub(secret:gsub("%p", "%%%0"), "[redacted]")
      end
    end
  end
  return text
end

-- Bytes of texts with URLs that are read of one table, for that holds up a frame.
local MOST_BYTES = 16384

local function tree(value, left)
  if type(value) == "string" and has_slash(value) then
    if #value > left.bytes then
      return "[redacted]"
    end
    left.bytes = left.bytes - #value
    return _M.urls(value)
  elseif type(value) ~= "table" then
    return value
  end
  local copy = value
  for name, item in pairs(value) do
    local clean = tree(item, left)
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

-- Take what may be secret out of all URLs in a table of plain values. A text of more
-- than 16 KiB that has one is taken out whole. Returns the value itself where there is
-- nothing to take out, else a copy.
function _M.tree(value)
  return tree(value, { bytes = MOST_BYTES })
end

-- A character that JSON gives by its number, as JSON writes it otherwise.
local function by_number(sign, digits)
  local code = sign == "u" and tonumber(digits:match "^00(%x%x)$" or "", 16)
  if code and code > 0x20 and code < 0x7F then
    local char = string.char(code)
    return char:find '["\\]' and "\\" .. char or char
  end
end

-- Up to the first character that JSON may escape; of the last key alone, for a
-- program hardly ever has several.
local last_key, last_beginning

local function beginning_of(key)
  if key ~= last_key then
    last_key, last_beginning = key, key:match '^[^/"\\]*'
  end
  return last_beginning
end

-- Replace an API key wherever it stands in a text, however JSON escapes it.
function _M.key(text, key)
  if not text or not key or #key < SHORTEST_SECRET then
    return text
  end
  local plain = text:find("\\u00", 1, true)
    and text:gsub("\\(.)(%x?%x?%x?%x?)", by_number) or text
  -- Hardly any text holds the key: a plain search spares the pattern.
  if not plain:find(beginning_of(key), 1, true) then
    return text
  end
  local pattern = key:gsub("%p", "%%%0"):gsub('%%([/"\\])', "\\?%%%1")
  local clean, count = plain:gsub(pattern, "[key]")
  return count > 0 and clean or text
end

return _M
