-- What must hold before a gateway is started: each that does not is told in a sentence,
-- and nothing is started. And what is written instead of starting one: a configuration
-- for an nginx of one's own, and tokens of callers.

local accounts = require "starvideos.nginx.account"
local callers = require "starvideos.gateway.callers"
local clients = require "starvideos.cli.client"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local failure = require "starvideos.cli.failure"
local file = require "starvideos.nginx.file"
local json = require "starvideos.base.json"
local keys = require "starvideos.cli.key"
local configuration = require "starvideos.gateway.configuration"
local launcher = require "starvideos.nginx.launcher"
local locations = require "starvideos.ledger.location"
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

-- Check all of it. Returns server for `starvideos.gateway.configuration`, with `key`.
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

-- What a configuration needs that is not started here, with `nginx`, the program.
local function printable(wanted)
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

local ACCOUNT = "starvideos"

local EXPLANATION = [[
Written to @dir@:
  nginx.conf                  an nginx of its own, which includes
  gateway.conf                the gateway, for the block http of any nginx.conf
  settings.json               what the gateway was asked for
  starvideos-gateway.service  a unit for systemd
  callers.example.json        who may order, to copy

With systemd, as root:
  1. useradd --system --no-create-home --shell /usr/sbin/nologin @user@
  2. (umask 077; echo STARVIDEOS_API_KEY=... >@dir@/environment)
@callers@  3. cp @dir@/starvideos-gateway.service /etc/systemd/system/
  4. systemctl daemon-reload && systemctl enable --now starvideos-gateway
New callers: starvideos gateway --new-token NAME, then systemctl reload
starvideos-gateway.

In an nginx.conf of your own instead: nothing of nginx.conf here, but
  1. at its top:    @modules@
                    env STARVIDEOS_API_KEY;
  2. in block http: include @dir@/gateway.conf;
  3. make @folder@ and in it logs, both root's, and
     files and the ledger's folder (name one with --ledger), both owned by the
     account of its workers
  4. stop it with nginx -s quit, never with -s stop, which may leave an order
     unknown]]

local CALLERS = "     who may order: cp %s/callers.example.json %s, and edit it\n"

local function token_for(name)
  local token = callers.new_token()
  return token, { name = name, token_sha256 = curl.sha256(token) }
end

-- Make a token. Returns what to print.
function _M.new_token(job)
  local token, entry = token_for(job.options.new_token)
  local fine, faults = callers.parse(json.encode { callers = { entry } })
  if not fine then
    return failure.usage("--new-token: " .. faults)
  elseif job.options.json then
    return json.encode { token = token, caller = entry }
  end
  return ("Token, shown this once: %s\nEntry for the file of --callers: %s")
    :format(token, json.encode(entry))
end

local function example()
  local _, entry = token_for "ann"
  entry.limits = { open = 5, orders_per_minute = 10 }
  entry.origins = { "https://play.example" }
  return json.encode { callers = { entry } } .. "\n"
end

local function explain(wanted, dir, server, user)
  local modules = {}
  for index, path in ipairs(server.modules) do
    modules[index] = ("load_module %s;"):format(path)
  end
  local path = wanted.settings.callers
  local values = { dir = dir, user = user, folder = wanted.folder,
    modules = table.concat(modules, "\n                    "),
    callers = path and not file.exists(path) and CALLERS:format(dir, path)
      or "" }
  return (EXPLANATION:gsub("@(%l+)@", values))
end

local function service_of(wanted, dir, server, user)
  local ledger = wanted.ledger_file
  return { configuration = dir, folder = wanted.folder, user = user,
    port = wanted.port, ledger_folder = ledger and ledger:match "^(.*)/",
    nginx = server.nginx, files = configuration.OPEN_FILES,
    library = server.files[1] }
end

-- Of what stands in the unit, and in the lines to type.
local function unfit(service)
  for _, name in ipairs { "configuration", "folder", "ledger_folder", "nginx" } do
    local path = service[name]
    if path and not file.takes(path, true) then
      return ("systemd's unit cannot name the path %s: it has a blank or one of"
        .. " \" ' $ %% \\ ; ? { } #; nothing was written"):format(path)
    end
  end
end

local function texts(wanted, server, service)
  local dir = service.configuration
  server.settings, server.open_files = dir, configuration.OPEN_FILES
  local list = configuration.texts(server)
  list["settings.json"] = json.encode(wanted.settings) .. "\n"
  list["callers.example.json"] = example()
  list["starvideos-gateway.service"] = configuration.unit(service)
  return list
end

-- Write a configuration. Returns what to print.
function _M.print(wanted)
  if locations.shown(wanted.ledger, true) ~= wanted.ledger then
    return failure.usage("--ledger has a password, which others could read in"
      .. " settings.json: leave it out, and put PGPASSWORD=... into the file"
      .. " environment; nothing was written")
  end
  local server, err = printable(wanted)
  if not server then
    return nil, err
  end
  local dir, user = wanted.print_config, wanted.user or ACCOUNT
  local service = service_of(wanted, dir, server, user)
  local fault = unfit(service)
  if fault then
    return failure.usage(fault)
  end
  local made, problem = core.disk("make_directory", dir)
  local why = problem and problem.message
  for name, text in pairs(made and texts(wanted, server, service) or {}) do
    if made then
      os.remove(dir .. "/" .. name) -- a link, whoever put it there
      made, why = file.write(dir .. "/" .. name, text)
    end
  end
  if not made then
    return nil, failure.new("io", ("cannot write to %s (%s)"):format(dir, why))
  end
  return explain(wanted, dir, server, user)
end

return _M
