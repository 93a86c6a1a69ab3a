--- What `doctor` finds out about the key and the provider. It asks for a task that
-- cannot exist: an answer to that costs nothing and creates nothing.
-- @module starvideos.cli.doctor_provider

local clients = require "starvideos.cli.client"
local contexts = require "starvideos.context"
local core = require "starvideos.core"
local exchange = require "starvideos.provider.exchange"
local failure = require "starvideos.cli.failure"
local http = require "starvideos.base.http"
local keys = require "starvideos.cli.key"
local operations = require "starvideos.provider.operations"
local answers = require "starvideos.provider.answer"

local _M = {}

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

--- Look at them.
-- @tparam table job
-- @tparam function add takes a name and a finding
function _M.look(job, add)
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

return _M
