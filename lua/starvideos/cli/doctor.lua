-- The command `doctor`: what is installed, found, reachable and missing, with the cure.
-- It buys nothing, and leaves nothing behind: it asks the provider for a task that
-- cannot exist.

local answers = require "starvideos.provider.answer"
local c_locale = require "starvideos.base.c_locale"
local clients = require "starvideos.cli.client"
local contexts = require "starvideos.context"
local core = require "starvideos.core"
local exchange = require "starvideos.provider.exchange"
local failure = require "starvideos.cli.failure"
local http = require "starvideos.base.http"
local json = require "starvideos.base.json"
local keys = require "starvideos.cli.key"
local launcher = require "starvideos.nginx.launcher"
local locations = require "starvideos.ledger.location"
local operations = require "starvideos.provider.operations"
local redact = require "starvideos.base.redact"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"
local tables = require "starvideos.cli.table"

local _M = {}

-- LuaJIT calls itself Lua 5.1 elsewhere.
local function lua_version()
  local jit = rawget(_G, "jit")
  local version = _VERSION:gsub("^Lua ", "")
  return jit and ("%s (%s)"):format(version, jit.version) or version
end

local function module_version(name, key)
  local found, module = pcall(require, name)
  return found and (type(module) == "table" and module[key]
    and tostring(module[key]) or "of unknown version") or nil
end

-- The version of libcurl, and what does TLS for it; nil and why it cannot be loaded.
local function libcurl_version()
  local found, curl = pcall(require, "starvideos.curl")
  if not found then
    return nil, tostring(curl):match "^[^\n]*"
  end
  local version, tls = curl.version():match "^libcurl/(%S+) (%S+)"
  return version or curl.version(), tls and not tls:find "^zlib" and tls or nil
end

-- The versions of what the library consists of. Returns a list of `name` and `version`;
-- nil where it is not there, or cannot be loaded.
function _M.versions()
  local libcurl, tls = libcurl_version()
  return {
    { name = "starvideos", version = starvideos._VERSION },
    { name = "Lua", version = lua_version() },
    { name = "libcurl", version = libcurl and libcurl .. " with "
      .. (tls or "no TLS") },
    { name = "lua-cjson", version = module_version("cjson", "_VERSION") },
    { name = "argparse", version = module_version("argparse", "version") },
    { name = "LuaDBI", version = module_version("DBI", "_VERSION") },
  }
end

-- The same for people, a line each.
function _M.versions_text()
  local lines = {}
  for index, row in ipairs(_M.versions()) do
    lines[index] = ("%s %s"):format(row.name, row.version or "not found")
  end
  return table.concat(lines, "\n")
end

-- Space for a few videos.
local FEW_BYTES = 500 * 1024 * 1024

-- An empty file, or none, becomes a ledger with the first order: that is not ours
-- to do. Of a link to nothing a client says what is wrong.
local function is_new(location, address)
  local size = location.path and core.disk("size", address)
  return location.path and (size == 0 or not size and core.real(address) ~= nil)
end

-- On what a ledger's file lies; a finding where no order can be sent by it.
local function look_at_file(location, address)
  local name = location.path and core.file_system(address)
  local word = locations.is_network(name) and "network"
    or location.path and core.sqlite_file(address):look()
  local place = word ~= "missing" and locations.misplaced[word]
  return name and (" (file system %s)"):format(name) or "", place and {
    state = "failed", exit = failure.DISK, cure = place.cure,
    found = ("no order is sent by %s: %s"):format(locations.shown(address),
      place.what:format(name)) } or nil
end

-- What the finding says of others' rights to a ledger's file, and a cure.
local function rights_of(location, address)
  local lost
  if location.path then
    lost = core.make_private(address)
  end
  if lost then
    return "; other accounts had rights to it, and lost them just now"
  elseif lost == false then
    return "; other accounts may read or write it, and it is not this account's"
      .. " to change", ("as its owner: chmod o= '%s'*"):format(address)
  end
  return ""
end

local function open_ledger(job, location, address, shown, add)
  local rights, cure = rights_of(location, address)
  local client, err = clients.plain(job, nil, { ledger = address,
    account = job.options.account })
  local status
  if client then
    status, err = client:status()
    client:close()
  end
  if status then
    return add("ledger", { state = cure and "optional" or "ok", found = shown
      .. " can be opened, its tables are this version's" .. rights, cure = cure })
  end
  add("ledger", { state = "failed", found = err.message,
    exit = failure.DISK, cure = "see the reason; where the file is locked, look"
      .. " who has it open; `starvideos ledger backup FILE` copies one that works" })
end

local function look_at_ledger(job, add)
  local address = clients.ledger(job)
  if not address then
    return add("ledger", { state = "optional", found = "none; with one no order"
      .. " is lost or bought twice",
      cure = "pass --ledger FILE or set STARVIDEOS_LEDGER" })
  end
  local location = locations.read(address)
  local shown = locations.shown(address)
  local disk, misplaced = look_at_file(location or {}, address)
  local warning = locations.unencrypted(address)
  if warning then
    local found, cure = warning:match "^(.-): (.*)$"
    add("encryption", { state = "optional", found = found, cure = cure })
  end
  if misplaced then
    return add("ledger", misplaced)
  elseif location and is_new(location, address) then
    return add("ledger", { state = "optional", found = shown .. disk
      .. " is not there yet; the first order makes it" })
  elseif location and location.server and job.options.offline then
    return add("ledger", { state = "skipped", found = shown
      .. " was not asked: --offline" })
  end
  open_ledger(job, location or {}, address, shown .. disk, add)
end

-- Bytes that are free where a folder lies; nil where that is not known.
local function free_bytes(folder)
  if core.system() ~= "posix" then
    return nil
  end
  local blocks = shell.read(shell.fill("df -Pk @folder@ 2>/dev/null",
    { folder = folder })):match "\n%S+%s+%d+%s+%d+%s+(%d+)"
  return blocks and tonumber(blocks) * 1024
end

local function look_at_folder(job, add)
  local folder = job.options.output or "."
  local shown = job.options.output or core.directory() or "."
  local probe = ("%s/.starvideos-doctor-%d"):format(folder, core.process_id())
  local file, problem = core.open(probe, "wb")
  if not file then
    return add("folder", { state = "failed", found = tostring(problem),
      exit = failure.DISK, cure = "make the folder, give this account the right"
        .. " to write there, or name another with -o" })
  end
  file:close()
  core.disk("remove", probe)
  local bytes = free_bytes(folder)
  if bytes and bytes < FEW_BYTES then
    return add("folder", { state = "failed", exit = failure.DISK,
      found = ("%s has %.0f MB left"):format(shown, bytes / 1e6),
      cure = "free some space, or name another with -o" })
  end
  add("folder", { state = "ok", found = shown .. " can be written"
    .. (bytes and ", " .. c_locale.number("%.1f", bytes / 1e9)
    .. " GB free" or "") })
end

local function look_at_programs(add)
  if core.system() ~= "posix" then
    return add("nginx", { state = "optional", found = "not on this system; gateway"
      .. " and sandbox need it" })
  end
  local modules, missing = launcher.modules()
  add("nginx", modules and { state = "ok", found = "found, with its Lua module" }
    or { state = "optional", found = missing:match "^[^:]*"
      .. "; gateway and sandbox need it",
      cure = "Debian's packages nginx and libnginx-mod-http-lua" })
  local ffmpeg = shell.run "command -v ffmpeg >/dev/null"
  add("ffmpeg", ffmpeg and { state = "ok", found = "found" }
    or { state = "optional", found = "not found; the sandbox draws its videos with"
      .. " it", cure = "Debian's package ffmpeg" })
end

local function look_at_terminal(job, add)
  local columns = job.env.stdout_size()
  local found = job.env.stdout_terminal()
    and ("%s columns, TERM is %s"):format(tostring(columns or "unknown"),
      job.env.getenv "TERM" or "not set") or "none: results are JSON"
  add("terminal", { state = "ok", found = found })
end

-- What is on this machine: ledger, folder, programs, terminal.
local function look_at_places(job, add)
  look_at_ledger(job, add)
  look_at_folder(job, add)
  look_at_programs(add)
  look_at_terminal(job, add)
end

-- Seconds: a provider that is silent is not waited for longer.
local PATIENCE = { connect_timeout = 8, timeout = 15 }

local NO_TASK = "starvideos-doctor"

-- Where there is no key the provider is asked with this one, which it refuses.
local NO_KEY = "no-key"

-- Seconds by which a clock may be wrong: certificates and signed links mind more.
local SKEW = 120

local function look_at_key(job, add)
  local key, problem = keys.of(job)
  local where = job.options.api_key_file and "in " .. job.options.api_key_file
    or "in STARVIDEOS_API_KEY"
  local cure = "set STARVIDEOS_API_KEY, or pass --api-key-file FILE"
  if problem then
    add("key", { state = "failed", found = problem, cure = cure,
      exit = failure.DISK })
  elseif (key or ""):find "%S" then
    add("key", { state = "ok", found = where })
    return key
  else
    add("key", { state = "missing", found = "none " .. where, cure = cure,
      exit = failure.USAGE })
  end
end

local function look_at_certificates(job, add)
  local name = job.options.ca_file or job.env.getenv "SSL_CERT_FILE"
  if not name or name == "" then
    return add("CA file", { state = "ok", found = "the system's" })
  end
  local file, problem = core.open(name, "rb")
  if file then
    file:close()
    return add("CA file", { state = "ok", found = name })
  end
  add("CA file", { state = "failed", found = problem, exit = failure.DISK,
    cure = "name another with --ca-file or SSL_CERT_FILE, or unset that: Debian's"
      .. " package ca-certificates has the usual ones" })
end

-- By the reason of a failed exchange: what to do.
local cures = {
  resolve = "look at the name in the base URL, and at this machine's DNS",
  connect = "look at the address, at firewalls and at the network",
  tls = "look at the CA file, at this machine's clock, and at who answers there",
  timeout = "the provider is silent: look at the network, try again later",
}

local function unreachable(err)
  return { state = "failed", found = err.message, exit = failure.REFUSED,
    cure = cures[err.reason] or "look at the network, try again later" }
end

-- At these no setting of ours is wrong, where it is no matter of the key.
local between = { [401] = true, [403] = true, [407] = true }

-- What an answer about no task says of the key and the address.
local function judged(err, key)
  if not err or err.kind == "not_found" or err.kind == "invalid_request" then
    return { state = "ok", found = key and "it answers, and takes the key"
      or "it answers" }
  elseif err.kind == "auth" and not key then
    return { state = "ok", found = "it answers" }
  elseif err.kind == "auth" then
    return { state = "failed", found = err.message, exit = failure.AUTH,
      cure = "get a key from the provider, and look for blanks in it" }
  elseif err.kind == "config" then
    return { state = "failed", found = err.message, exit = failure.USAGE,
      cure = between[err.status] and "set https_proxy with its login, or have the firewall"
        .. " let this program through"
        or "correct --base-url or STARVIDEOS_BASE_URL" }
  end
  return unreachable(err)
end

local function look_at_clock(response, add)
  local now = core.time()
  local header = response.headers and response.headers.date
  local date = header and http.date(header, now)
  local skew = date and now - date
  if not skew then
    return add("clock", { state = "skipped", found = "the provider sent no date" })
  elseif math.abs(skew) <= SKEW then
    return add("clock", { state = "ok", found = ("within %d s of the provider's")
      :format(math.max(1, math.ceil(math.abs(skew)))) })
  end
  add("clock", { state = "failed", exit = failure.USAGE,
    found = ("%.0f s %s the provider's"):format(math.abs(skew),
      skew > 0 and "ahead of" or "behind"),
    cure = "set it: links and certificates expire too early or too late by it" })
end

local function look_at_answer(job, client, key, add)
  local context = contexts.of(client)
  job.told "asking the provider about a task that does not exist"
  local response, err = exchange.ask(context, operations.query, NO_TASK)
  if err and err.kind == "cancelled" then
    error("interrupted!", 0)
  elseif not response then
    return add("provider", unreachable(err))
  end
  local _, refused = answers.read(operations.query, response,
    context.wall_clock, NO_TASK)
  add("provider", judged(refused, key))
  look_at_clock(response, add)
end

local function look_at_address(client, err, add)
  if client then
    return add("base URL", { state = "ok", found = contexts.of(client).base_url })
  end
  add("base URL", { state = "failed", found = err.message,
    exit = failure.USAGE, cure = "correct --base-url or STARVIDEOS_BASE_URL" })
end

local function look_at_provider(job, add)
  local key = look_at_key(job, add)
  look_at_certificates(job, add)
  local client, err = clients.plain(job, key or NO_KEY, PATIENCE)
  look_at_address(client, err, add)
  if client and job.options.offline then
    add("provider", { state = "skipped", found = "not asked: --offline" })
  elseif client then
    look_at_answer(job, client, key, add)
  end
  if client then
    client:close()
  end
end

-- The first libcurl that tells whether a request has left (7.80), with a year of
-- repairs.
local OLDEST_LIBCURL = { 7, 81 }

-- What of versions is needed, and where it comes from: rock and Debian package.
local parts = {
  ["lua-cjson"] = { "lua-cjson", "lua-cjson" },
  argparse = { "argparse", "lua-argparse" },
  LuaDBI = { "luadbi-sqlite3", "lua-dbi-sqlite3", optional = true,
    what = "; ledgers need it" },
}

local drivers = {
  { "dbd.sqlite3", "luadbi-sqlite3", "lua-dbi-sqlite3",
    "ledgers in a file need it" },
  { "dbd.postgresql", "luadbi-postgresql", "lua-dbi-postgresql",
    "ledgers in PostgreSQL need it" },
}

local function installing(rock, package)
  return ("luarocks install %s, or Debian's package %s"):format(rock, package)
end

local function is_too_old(version)
  local major, minor = version:match "^(%d+)%.(%d+)"
  major, minor = tonumber(major), tonumber(minor)
  return major and (major < OLDEST_LIBCURL[1] or major == OLDEST_LIBCURL[1]
    and minor < OLDEST_LIBCURL[2])
end

local function libcurl()
  local version, tls = libcurl_version()
  if not version then
    return { state = "missing", found = tls, exit = failure.USAGE,
      cure = "Debian's package libcurl4 (to build libcurl4-openssl-dev), then make"
        .. " or luarocks once more" }
  elseif is_too_old(version) then
    return { state = "failed", found = version .. " is too old",
      exit = failure.USAGE, cure = "libcurl 7.81 or newer; below it nobody can"
        .. " tell whether an order was sent" }
  elseif not tls then
    return { state = "failed", found = version .. " without TLS",
      exit = failure.USAGE, cure = "a libcurl with TLS: Debian's package"
        .. " libcurl4" }
  end
  return { state = "ok", found = version .. " with " .. tls }
end

local function part_of(row)
  local part = parts[row.name]
  if row.name == "libcurl" then
    return libcurl()
  elseif row.version or not part then
    return { state = "ok", found = row.version }
  end
  return { state = part.optional and "optional" or "missing",
    found = "not found" .. (part.what or ""), exit = failure.USAGE,
    cure = installing(part[1], part[2]) }
end

local function look_at_versions(add)
  for _, row in ipairs(_M.versions()) do
    add(row.name, part_of(row))
  end
  for _, driver in ipairs(drivers) do
    -- LuaDBI itself is a line of its own.
    local found = pcall(require, "DBI") and pcall(require, driver[1])
    add(driver[1], found and { state = "ok", found = "found" }
      or { state = "optional", found = "not found; " .. driver[4],
        cure = installing(driver[2], driver[3]) })
  end
end

local function text_of(job, list, trouble)
  local rows = {}
  for index, finding in ipairs(list) do
    rows[index] = { finding.state, finding.name, finding.found
      .. (finding.cure and ". Cure: " .. finding.cure or "") }
  end
  return tables.text({ "is", "what", "found" }, rows,
    { width = tables.columns(job) or 80, wraps = true })
    .. "\n" .. (trouble or "All that is needed is there.")
    .. " Nothing was ordered or bought."
end

local needs_cure = { missing = true, failed = true }

-- The code of the most severe finding, and how many there are.
local function judge(list)
  local count, codes = 0, {}
  for _, finding in ipairs(list) do
    if needs_cure[finding.state] then
      count, codes[finding.exit] = count + 1, true
    end
  end
  for _, code in ipairs(failure.by_severity) do
    if codes[code] then
      return count, code
    end
  end
  return count
end

-- Look at all of it. Returns err where something is missing.
function _M.run(job)
  local list = {}
  local function add(name, finding)
    finding.name, finding.found = name, redact.text(finding.found)
    list[#list + 1] = finding
  end
  look_at_versions(add)
  look_at_provider(job, add)
  look_at_places(job, add)
  local count, code = judge(list)
  local trouble = code and ("%d of these %s to be cured."):format(count,
    count == 1 and "has" or "have")
  local err = code and failure.new("config", "something that is needed is missing:"
    .. " the list names it with its cure; nothing was ordered", { exit = code })
  if job.options.json then
    return json.encode { ok = not code, findings = list }, err
  end
  return text_of(job, list, trouble), err
end

return _M
