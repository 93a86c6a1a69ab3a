--- Where a ledger is: the path of a file, or the address of a server, which
-- may hold a password and is never shown with it.
-- @module starvideos.ledger.location

local core = require "starvideos.core"
local redact = require "starvideos.redact"

local _M = {}

local servers = { postgres = true, postgresql = true }

-- What looks like the address of something else: as the name of a file its
-- password would be shown.
local foreign = { "^%a[%w+.-]+:[\\/]", "^/*[^/]*:[^/]*@",
  "%f[%w][Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]%s*=" }

local FOREIGN = "a ledger is the path of a SQLite file, or an address that"
  .. " begins with postgres://; this one looks like the address of something"
  .. " else (put ./ before the name of such a file)"

local AMBIGUOUS = "the address of the ledger's PostgreSQL server is ambiguous:"
  .. " in user and password write %40 for @, %2F for / and %3A for :, or give the"
  .. " password in PGPASSWORD or ~/.pgpass"

-- For libpq the password ends at the first @ before a slash; it would show the
-- rest of it as the name of a host, or its port.
local function is_plain(rest)
  local authority, beyond = rest:match "^([^/]*)([^?]*)"
  local user, servers_part = authority:match "^(.-)@(.*)$"
  local hosts = (servers_part or authority):match("^[^?]*"):gsub("%b[]", "")
  return not (servers_part or ""):match("^[^?]*"):find("@", 1, true)
    and not beyond:find("@", 1, true) and not hosts:find ":[^%d,]"
    and not (user or ""):find ":.*:"
end

-- Only a path has one letter and a colon before a slash.
local function without_drive(address)
  return core.system() == "windows"
    and address:gsub("^%s*%a:([/\\])", "%1") or address
end

--- Read the address of a ledger.
-- @tparam string address
-- @treturn ?table location with `address` as a driver takes it; `server` (true
--   for PostgreSQL) or `path` (true, unless it is SQLite's name for a database
--   that goes with its connection)
-- @treturn ?string why it cannot be read, with nothing of it
function _M.read(address)
  local scheme, rest = address:match "^%s*(%a+)://(.-)%s*$"
  scheme = scheme and scheme:lower()
  if servers[scheme] then
    if not is_plain(rest) then
      return nil, AMBIGUOUS
    end
    return { address = scheme .. "://" .. rest, server = true }
  end
  for _, pattern in ipairs(foreign) do
    if without_drive(address):match("^%s*(.*)$"):find(pattern) then
      return nil, FOREIGN
    end
  end
  return { address = address, path = address ~= ":memory:" or nil }
end

--- An address as it may be shown.
-- @tparam string address
-- @tparam[opt=false] boolean with_user leave the user's name in it
-- @treturn string
function _M.shown(address, with_user)
  local location = _M.read(address)
  if not location then
    return "[redacted]"
  end
  return location.server and redact.address(address, with_user) or address
end

return _M
