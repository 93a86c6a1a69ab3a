--- What must hold before a gateway is started: each that does not is told in a
-- sentence, and nothing is started.
-- @module starvideos.cli.gateway_check

local accounts = require "starvideos.nginx.account"
local callers = require "starvideos.gateway.callers"
local clients = require "starvideos.cli.client"
local core = require "starvideos.core"
local failure = require "starvideos.cli.failure"
local file = require "starvideos.nginx.file"
local keys = require "starvideos.cli.key"
local configuration = require "starvideos.gateway.configuration"
local launcher = require "starvideos.nginx.launcher"
local shell = require "starvideos.nginx.shell"

local _M = {}

-- No task has it: the provider answers that it does not know it, if it takes the
-- key.
local NO_TASK = "starvideos-gateway-start"

-- What to do may follow in further lines.
local function told(message)
  return (message:gsub("^[^\n]*", "%0; nothing was started", 1))
end

local function unstarted(kind, message)
  return nil, failure.new(kind, told(message))
end

-- Who may come in: with a file nobody else, without one nobody from elsewhere.
local function check_callers(wanted)
  local path = wanted.settings.callers
  if not path and wanted.is_loopback then
    return true
  elseif not path then
    return failure.usage(("--listen %s lets others in:"
      .. " name who may order with --callers FILE (starvideos gateway --new-token"
      .. " NAME makes an entry); nothing was started"):format(wanted.address))
  elseif wanted.print_config and not file.exists(path) then
    return true
  end
  local found, faults = callers.parse(file.read(path))
  if not found then
    return failure.usage(("%s:\n  %s\nnothing was started"):format(path,
      faults:gsub("\n", "\n  ")))
  elseif found:need_prices() and not wanted.settings.prices then
    return failure.usage(path .. " limits a spend: pass --prices FILE, or orders"
      .. " have no price; nothing was started")
  end
  return true
end

-- What nginx.conf says: of what was asked for, and of this machine.
local function server_of(wanted)
  local modules, missing = launcher.modules()
  local paths
  if modules then
    paths, missing = configuration.search_paths()
  end
  if not paths then
    return unstarted("config", missing)
  elseif not file.takes(((paths.lua .. paths.c):gsub("[;?]", ""))) then
    return unstarted("config", "nginx cannot be told where this library lies: its"
      .. " path has one of the characters \" $ \\")
  end
  return { modules = modules, lua_path = paths.lua, c_path = paths.c,
    files = paths.files, folder = wanted.folder, listen = wanted.listen,
    workers = wanted.workers, tls = wanted.tls,
    trusted_proxies = wanted.trusted_proxies }
end

local function check_ledger(job, wanted, account)
  local path = wanted.ledger_file
  local status, err = job.client:status()
  if not status then
    return unstarted(err.kind, err.message)
  end
  local folder = path and path:match "^(.+)/" or path and "/"
  for _, place in ipairs { path, folder } do
    if not accounts.may(account, "w", place) then
      return unstarted("io", ("the account that nginx runs as cannot write to %s,"
        .. " where the ledger is"):format(place))
    end
  end
  return true
end

-- Anything but a refusal may be over tomorrow.
local function check_key(job)
  job.told "asking the provider whether it takes the key"
  local _, err = job.client:query(NO_TASK)
  if not err then -- it knows such a task
    return true
  elseif err.kind == "auth" then
    return unstarted("auth", err.message)
  elseif err.kind == "cancelled" then
    return nil, err
  elseif err.kind ~= "not_found" and err.kind ~= "invalid_request" then
    job.console:note(("the provider did not say whether it takes the key (%s);"
      .. " the gateway starts all the same"):format(err.message),
      { event = "key", failure = err.message })
  end
  return true
end

-- Makes the folder, so that a ledger has a place.
local function check_folder(wanted, server)
  local account, why = accounts.find(wanted.user)
  if not account then
    return failure.usage(told(why))
  end
  local fine
  fine, why = accounts.make_folder(wanted.folder, account)
  if fine then
    fine, why = accounts.can_read(account, server.files)
  end
  if account.group and not file.takes(account.group) then
    fine, why = nil, "nginx cannot be told the group of the account " .. account.user
  end
  server.user, server.group = account.user, account.group
  if not fine then
    return unstarted("io", why)
  end
  return account
end

-- Where root starts the gateway, what touches the ledger is done by the account of
-- the workers: it can write there, and so put links in the way.
local function as_account(account, body)
  if not account.uid then
    return body()
  end
  local done, result, err = core.act_as(account.uid, account.gid, body)
  if not done then
    return unstarted("io", ("root cannot act as %s (%s)"):format(account.user,
      result))
  end
  return result, err
end

local function check_provider(job, wanted, account)
  local key, problem = keys.of(job)
  if not problem and (key or "") == "" then
    return unstarted("config", "there is no API key: set STARVIDEOS_API_KEY, or"
      .. " pass --api-key-file FILE")
  end
  local client, err = clients.new(job)
  if not client then
    return nil, err
  end
  job.client = client
  local fine
  fine, err = as_account(account, function()
    local done, failure_of = check_key(job)
    if done then
      done, failure_of = check_ledger(job, wanted, account)
    end
    client:close()
    return done, failure_of
  end)
  return fine and key, err
end

--- Check all of it.
-- @tparam table job
-- @tparam table wanted see `starvideos.cli.gateway_options`
-- @treturn ?table server for `starvideos.gateway.configuration`, with `key`
-- @treturn ?table err
function _M.run(job, wanted)
  local fine, err = check_callers(wanted)
  local server, account
  if fine then
    server, err = server_of(wanted)
  end
  if server then
    account, err = check_folder(wanted, server)
  end
  if account then
    server.key, err = check_provider(job, wanted, account)
  end
  return not err and server or nil, err
end

--- Check what a configuration needs that is not started here.
-- @tparam table wanted
-- @treturn ?table server, with `nginx`, the program
-- @treturn ?table err
function _M.printable(wanted)
  local fine, err = check_callers(wanted)
  local server
  if fine then
    server, err = server_of(wanted)
  end
  if server then
    server.nginx = shell.read(launcher.PATH .. "command -v nginx")
  end
  return server, err
end

return _M
