--- The text of a systemd unit for a gateway whose configuration was printed.
-- @module starvideos.gateway.nginx.unit

local file = require "starvideos.nginx.file"
local syntax = require "starvideos.nginx.syntax"

local _M = {}

local TEMPLATE = file.beside "starvideos-gateway.service"

local STATE = "/var/lib/"

local function is_in_home(path)
  return path:find "^/home/" or path:find "^/root/"
end

--- Write it.
-- @tparam table service `configuration` (the folder of nginx.conf), `folder` (of
--   the gateway's files), `ledger_folder` (nil: its ledger is no file), `nginx`
--   (the program), `user`, `port`, `files` (descriptors), `library` (a path of it)
-- @treturn string
function _M.text(service)
  local folder, other = service.folder, service.ledger_folder
  return syntax.fill(TEMPLATE, { configuration = service.configuration,
    folder = folder, ledger_folder = other ~= folder and other,
    nginx = service.nginx, user = service.user, files = service.files,
    -- systemd makes what lies there, for the account of the unit.
    state = folder:match("^" .. STATE .. "([%w_.-]+)$"),
    is_low = service.port < 1024,
    home = is_in_home(service.library) and "read-only" or "yes" })
end

return _M
