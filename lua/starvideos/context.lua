--- What a client knows: made once, of the options of `starvideos.new`.
-- @module starvideos.context

local address = require "starvideos.api.address"
local rate_limiter = require "starvideos.polling.rate_limiter"
local exchange = require "starvideos.api.exchange"
local random = require "starvideos.random"
local slots = require "starvideos.api.create_slots"

-- nil for a key that is not there: validating and listing need none, so that
-- is said by the first call that does.
local function check_key(key)
  if key == nil or key == "" then
    return true, nil
  elseif key:find("[%c\127]") then
    return false, "the API key holds a line break or control character; a key"
      .. " read from a file often ends in one"
  elseif key:find("^%s") or key:find("%s$") then
    return false, "the API key begins or ends with a blank"
  end
  return true, key
end

local function ledger_for(context, options)
  return require("starvideos.ledger").new {
    address = options.ledger,
    fsync = options.ledger_fsync,
    account = options.account,
    clock = require("starvideos.core").time,
    boottime = context.boottime,
    random = context.random,
    timeout = context.timeout,
    runtime = context.runtime,
    blocks = context.blocks,
    report = function(order, task_id)
      exchange.tell_of_late_task(context, order, task_id)
    end,
  }
end

-- Where nginx runs Lua, blocking would hold up all its requests.
local function default_runtime()
  local ngx = rawget(_G, "ngx")
  return type(ngx) == "table" and ngx.get_phase and "ngx" or "block"
end

local function runtime_for(options)
  local name = options.runtime or default_runtime()
  if name == "ngx" and default_runtime() ~= "ngx" then
    error("the runtime ngx is for nginx; here it is block, frame or poll", 4)
  elseif options.transport == "resty_http" and name ~= "ngx" then
    error("the transport resty_http needs the runtime ngx", 4)
  end
  return require("starvideos.runtime." .. name).new(options), name
end

-- The files that a failed require has looked for, of those a system can load.
local function libraries_in(problem)
  local files = {}
  for name in problem:gmatch "no file '([^'\n]*core%.%a+)'" do
    files[#files + 1] = not name:find "%.lua$" and name or nil
  end
  return files
end

-- The part in C, and what to do where it is not there for this Lua. LÖVE's
-- games are often archives, out of which no system loads a library.
local function load_core()
  local found, core = pcall(require, "starvideos.core")
  if found then
    return core
  end
  core = tostring(core)
  local lua = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
  local files = libraries_in(core)
  local looked = files[1] and "; looked for " .. table.concat(files, ", ") or ""
  local archive = rawget(_G, "love") and "; a library inside a .love file"
    .. " cannot be loaded: put it into one of these places" or ""
  error(("starvideos.core is not there for this Lua (%s%s%s): make LUA=%s builds"
    .. ' it, eval "$(make -s env LUA=%s)" lets it be found'):format(
    core:match "^[^\n]*", looked, archive, lua, lua), 0)
end

--- Make the context of a client.
-- @tparam table options of `starvideos.new`, checked
-- @treturn ?table context
-- @treturn ?string why not: a malformed key, base URL or address of a ledger
-- @raise where the host has no such runtime, or the part in C is missing
return function(options)
  local ok, key = check_key(options.api_key)
  if not ok then
    return nil, key
  end
  local base_url, problem = address.normalise(
    options.base_url or address.default, options.insecure_http)
  if not base_url then
    return nil, problem
  end
  local core = load_core()
  local chance = options.random or random()
  local runtime, host = runtime_for(options)
  local context = {
    api_key = key,
    base_url = base_url,
    account = options.account,
    catalog = core.catalog { edition = options.edition,
      models = options.models },
    validation = options.validation or "strict",
    runtime = runtime,
    blocks = host == "block",
    random = chance,
    rate_limiter = rate_limiter.new(chance, options.poll_rate),
    slots = slots.new(options.max_creates),
    shared = options.shared,
    wall_clock = core.time,
    boottime = core.boottime,
    process_id = core.process_id,
    insecure_http = options.insecure_http,
    connect_timeout = options.connect_timeout or 10,
    timeout = options.timeout or 60,
    on_event = options.on_event,
    interrupts = host == "block" and (options.interrupts or "raise") or "return",
  }
  if options.ledger then
    context.ledger, problem = ledger_for(context, options)
    return context.ledger and context, problem
  end
  return context
end
