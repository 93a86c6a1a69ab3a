-- What the command `gateway` is asked for: its options, checked and completed.

local accounts = require "starvideos.nginx.account"
local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local failure = require "starvideos.cli.failure"
local file = require "starvideos.nginx.file"
local values = require "starvideos.cli.values"

local _M = {}

local defaults = { port = "8080", workers = "2", listen = "127.0.0.1",
  keep_days = "7", keep_bytes = "20G", folder = "starvideos-gateway" }

-- Of a gateway that systemd starts.
local INSTALLED_FOLDER = "/var/lib/starvideos"

local everywhere = { ["0.0.0.0"] = true, ["[::]"] = true }

local Reader = {}
Reader.__index = Reader

-- Notes what is wrong with an option. All of it is told at once.
function Reader:refuse(name, wanted)
  self.faults[#self.faults + 1] = ("--%s must be %s, not %s"):format(
    (name:gsub("_", "-")), wanted, self.given[name])
end

function Reader:text(name)
  return self.given[name] or defaults[name]
end

function Reader:number(name, least, most, wanted)
  local text = self:text(name)
  local number = c_locale.tonumber(text)
  if text and not (number and number >= least and number <= most) then
    return self:refuse(name, wanted)
  end
  return number
end

function Reader:count(name, most)
  local number = self:number(name, 1, most,
    ("a whole number from 1 to %d"):format(most))
  if number and number % 1 ~= 0 then
    return self:refuse(name, "a whole number")
  end
  return number
end

function Reader:bytes(name)
  local bytes, wanted = values.bytes(self:text(name))
  if not bytes then
    return self:refuse(name, wanted)
  end
  return bytes
end

local function absolute(path)
  return path:find "^/" and path
    or ("%s/%s"):format(core.directory() or ".", (path:gsub("^%./", "")))
end

-- A path that nginx.conf can name.
function Reader:path(name)
  local path = absolute(self:text(name)):gsub("(.)/+$", "%1")
  if not file.takes(path) then
    return self:refuse(name, 'a path without any of ; " $ ? \\')
  end
  return path
end

function Reader:file(name)
  local path = self.given[name] and self:path(name)
  if path and not file.exists(path) then
    return self:refuse(name, "a file that can be read")
  end
  return path
end

function Reader:account()
  local name = self.given.user
  if name and not file.takes(name, true) then
    return self:refuse("user", "the name of an account")
  end
  return name
end

-- The bytes of an address; nil where it is none, or where leading zeros make it
-- another one to some programs.
local function ip_of(text)
  return not text:find "%f[%w]0%d+%." and not text:find "%.0%d"
    and core.read_ip(text) or nil
end

-- As it stands in a URL.
function Reader:address(name)
  local text = self:text(name)
  local bare = text:match "^%[(.*)%]$"
  local ip = ip_of(bare or text)
  if text == "localhost" or ip and #ip == 4 and not bare then
    return text
  elseif ip and #ip == 16 then
    return ip == ("\0"):rep(16) and "[::]" or "[" .. (bare or text) .. "]"
  end
  return self:refuse(name, "an address of this machine, such as 127.0.0.1,"
    .. " 0.0.0.0 or ::1")
end

local function host_and_port(text)
  local host, port = text:match "^(%w[%w.-]*)(:?%d*)$"
  if not host then
    host, port = text:match "^(%[[%x:.]+%])(:?%d*)$"
    host = host and #(ip_of(host:sub(2, -2)) or "") == 16 and host
  end
  return port ~= ":" and host or nil, port
end

-- Browsers leave out the port of a scheme, and a proxy before us may have it.
function Reader:hosts(wanted)
  local list, is_there, usual = {}, {}, wanted.tls and 443 or 80
  local function put(name)
    list[#list + 1] = not is_there[name] and name or nil
    is_there[name] = true
  end
  local function add(name, may_lack_port)
    put(name .. ":" .. wanted.port)
    if may_lack_port then
      put(name)
    end
  end
  for _, name in ipairs { wanted.address, "127.0.0.1", "localhost", "[::1]" } do
    if not everywhere[name] then
      add(name, wanted.port == usual)
    end
  end
  for _, text in ipairs(self.given.host) do
    local host, port = host_and_port(text)
    if not host then
      self.faults[#self.faults + 1] = "--host must be a name or an address, such"
        .. " as videos.example, not " .. text
    elseif port == "" then
      add(host, true)
    else
      put(text)
    end
  end
  list[#list + 1] = wanted.public_url and wanted.public_url:match "//(.*)$"
  return list
end

-- IPv4 within IPv6: nginx takes such a peer for one of IPv4.
local MAPPED = ("\0"):rep(10) .. "\255\255"

local function is_network(text)
  local address, bits = text:match "^([^/]+)/(%d+)$"
  local ip = ip_of(address or text)
  return ip ~= nil and ip:sub(1, #MAPPED) ~= MAPPED
    and (not bits or tonumber(bits) <= 8 * #ip)
end

function Reader:trusted_proxies()
  for _, text in ipairs(self.given.trusted_proxy or {}) do
    if not is_network(text) then
      self.faults[#self.faults + 1] = "--trusted-proxy must be an address or a"
        .. " network, such as 10.0.0.7 or fd00::/8, not " .. text
    end
  end
  return (self.given.trusted_proxy or {})[1] and self.given.trusted_proxy or nil
end

function Reader:public_url()
  local text = self.given.public_url
  local url = text and text:match "^(https?://[^/?#@%s]+)/?$"
  if text and not (url and host_and_port(url:match "//(.*)$")) then
    return self:refuse("public_url", "an address without a path, such as"
      .. " https://videos.example")
  end
  return url
end

function Reader:tls()
  local cert, key = self:file "tls_cert", self:file "tls_key"
  if (self.given.tls_cert == nil) ~= (self.given.tls_key == nil) then
    self.faults[#self.faults + 1] = "--tls-cert and --tls-key go together"
  end
  return cert and key and { cert = cert, key = key } or nil
end

local function setting(job, name, variable)
  local value = job.options[name] or job.env.getenv(variable)
  return value ~= "" and value or nil
end

-- What people connect to. The port of a --host is that of a proxy before us.
local function url_of(wanted, given)
  local host, port = host_and_port(given.host[1] or "")
  if not host or port ~= "" and port ~= ":" .. wanted.port then
    host = everywhere[wanted.address] and "localhost" or wanted.address
  end
  return wanted.public_url or ("%s://%s:%d"):format(
    wanted.tls and "https" or "http", host, wanted.port)
end

-- Whoever writes to a ledger must be able to write to its folder, too.
local function ledger_of(job, wanted)
  local is_apart = not wanted.print_config and accounts.is_apart(wanted.user)
  local ledger = setting(job, "ledger", "STARVIDEOS_LEDGER")
    or wanted.folder .. (is_apart and "/ledger" or "") .. "/ledger.db"
  return ledger:find "^%a+://" and ledger or absolute(ledger)
end

local function kept(number)
  return number ~= 0 and number or nil
end

-- What stands in settings.json, see `starvideos.gateway.application`.
local function settings_of(job, reader, wanted)
  local given = job.options
  return {
    base_url = setting(job, "base_url", "STARVIDEOS_BASE_URL"),
    edition = given.edition,
    insecure_http = given.insecure_http,
    private_links = given.private_links,
    max_video = given.max_video and reader:bytes "max_video",
    max_answer = given.max_answer and reader:bytes "max_answer",
    ca_file = reader:file "ca_file",
    ledger = wanted.ledger, folder = wanted.folder,
    callers = wanted.print_config and given.callers and reader:path "callers"
      or reader:file "callers", prices = reader:file "prices",
    hosts = reader:hosts(wanted), public_url = wanted.public_url,
    is_tls = wanted.tls ~= nil, port = wanted.port,
    keep_days = kept(reader:number("keep_days", 0, 1e6,
      "a number of days, 0 for ever")),
    keep_bytes = kept(reader:bytes "keep_bytes"),
    interval = reader:number("interval", 0.05, 3600, "a number of seconds"),
  }
end

-- Read them. `job`: with `options` as parsed and `env`. Returns wanted: `folder`,
-- `address`, `port`, `listen`, `url`, `is_loopback`, `is_nameless` (who is elsewhere
-- has no name for it), `workers`, `tls` (`cert` and `key`, or nil), `ledger`,
-- `ledger_file` (nil: it is no file), `trusted_proxies` (nil: none), `user`,
-- `print_config`, `settings`, and err that names every fault.
function _M.read(job)
  local given = job.options
  local reader = setmetatable({ given = setmetatable({
    folder = given.folder or given.print_config and INSTALLED_FOLDER,
  }, { __index = given }), faults = {} }, Reader)
  local wanted = { port = reader:count("port", 65535),
    workers = reader:count("workers", 64), folder = reader:path "folder",
    address = reader:address "listen", tls = reader:tls(),
    public_url = reader:public_url(), trusted_proxies = reader:trusted_proxies(),
    user = reader:account(),
    print_config = given.print_config and reader:path "print_config" }
  if not reader.faults[1] then
    wanted.listen = wanted.address .. ":" .. wanted.port
    wanted.is_loopback = core.is_loopback(wanted.address)
    wanted.is_nameless = everywhere[wanted.address] and not given.host[1]
      and not given.public_url
    wanted.ledger = ledger_of(job, wanted)
    wanted.ledger_file = not wanted.ledger:find "^%a+://" and wanted.ledger or nil
    wanted.settings = settings_of(job, reader, wanted)
  end
  wanted.url = not reader.faults[1] and url_of(wanted, given) or nil
  if reader.faults[1] then
    return failure.usage(table.concat(reader.faults, "; ")
      .. "; nothing was started")
  end
  return wanted
end

return _M
