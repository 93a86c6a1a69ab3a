--- What the command `gateway` writes instead of starting: a configuration for an
-- nginx of one's own, and tokens of callers.
-- @module starvideos.cli.gateway_files

local callers = require "starvideos.gateway.callers"
local configuration = require "starvideos.gateway.configuration"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local failure = require "starvideos.cli.failure"
local file = require "starvideos.nginx.file"
local gateway_check = require "starvideos.cli.gateway_check"
local json = require "starvideos.base.json"
local locations = require "starvideos.ledger.location"
local records = require "starvideos.cli.records"

local _M = {}

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

--- Make a token.
-- @tparam table job
-- @treturn ?string what to print
-- @treturn ?table err
function _M.new_token(job)
  local token, entry = token_for(job.options.new_token)
  local fine, faults = callers.parse(json.encode { callers = { entry } })
  if not fine then
    return failure.usage("--new-token: " .. faults)
  elseif job.options.json then
    return records.text("token", { token = token, caller = entry })
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

--- Write a configuration.
-- @tparam table wanted see `starvideos.cli.gateway_options`
-- @treturn ?string what to print
-- @treturn ?table err
function _M.print(wanted)
  if locations.shown(wanted.ledger, true) ~= wanted.ledger then
    return failure.usage("--ledger has a password, which others could read in"
      .. " settings.json: leave it out, and put PGPASSWORD=... into the file"
      .. " environment; nothing was written")
  end
  local server, err = gateway_check.printable(wanted)
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
