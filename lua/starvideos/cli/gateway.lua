-- The command `gateway`: orders over HTTP, in an nginx of its own in the foreground.

local configuration = require "starvideos.gateway.configuration"
local core = require "starvideos.core"
local failure = require "starvideos.cli.failure"
local accounts = require "starvideos.nginx.account"
local gateway_check = require "starvideos.cli.gateway_check"
local gateway_options = require "starvideos.cli.gateway_options"
local json = require "starvideos.base.json"
local launcher = require "starvideos.nginx.launcher"
local shell = require "starvideos.nginx.shell"

local LOOK_SECONDS = 0.5

local function unstarted(message)
  return nil, failure.new("io", message .. "; nothing was started")
end

local function open_files()
  local soft, hard = shell.read "ulimit -Sn; ulimit -Hn" :match "^(%w+)\n(%w+)"
  local wanted = configuration.OPEN_FILES
  if soft == "unlimited" or tonumber(soft) >= wanted then
    return nil
  end
  return hard == "unlimited" and wanted or math.min(wanted, tonumber(hard))
end

local function write(wanted, server)
  server.open_files = open_files()
  local texts = configuration.texts(server)
  texts["settings.json"] = json.encode(wanted.settings)
  for name, text in pairs(texts) do
    local done, why = accounts.write_private(wanted.folder .. "/" .. name, text)
    if not done then
      return nil, why
    end
  end
  return true
end

local function announce(job, wanted, nginx)
  local who = wanted.settings.callers and ""
    or "; only this machine can use it, because no --callers names who else may"
  return job.console:result(job.options.json
    and json.encode { url = wanted.url, folder = wanted.folder,
      pid = nginx:pid(), ledger = not wanted.ledger:find "://"
        and wanted.ledger or nil }
    or ("The gateway listens at %s/%s"):format(wanted.url, who))
end

-- It would refuse them, for a page can give this machine a name of its own.
local function note_name(job, wanted)
  if wanted.is_nameless then
    job.console:note("it answers requests for localhost alone: name what callers"
      .. " connect to with --host NAME", { event = "name" })
  end
end

local function has_terminal()
  return shell.run "test -t 2"
end

-- A reload that failed changes nothing; nginx tells only its log.
local function reload(job, nginx, wait)
  local log = io.open(nginx.prefix .. "/logs/error.log", "rb")
  if log then
    log:seek "end"
  end
  nginx:signal "HUP"
  wait(LOOK_SECONDS)
  local told = log and log:read "*a" or ""
  if log then
    log:close()
  end
  local why = (told:find("init_by_lua error", 1, true)
    or told:find("[emerg]", 1, true)) and launcher.reason(told)
  job.console:note(why and "nothing was read again: " .. why
    or "callers and settings were read again",
    { event = "reload", failure = why or nil })
end

-- Until Ctrl-C, or until nginx ends; a terminal that was closed is a Ctrl-C.
local function serve(job, nginx, wait)
  local had_terminal = job.console.terminal or has_terminal() -- TERM may be dumb
  local ok, raised = pcall(function()
    -- Its end is a Ctrl-C until now, which is lost while a program is asked.
    local is_closed = had_terminal and not has_terminal()
    while not is_closed and not nginx:has_ended() do
      wait(LOOK_SECONDS)
      if core.hangup_came() then
        is_closed = had_terminal and not has_terminal()
        if not is_closed then
          reload(job, nginx, wait)
        end
      end
    end
  end)
  if not ok and not tostring(raised):find "interrupted!$" then
    nginx:stop()
    error(raised, 0)
  end
end

local function finish(job, nginx)
  local has_ended, code = nginx:has_ended()
  if has_ended then
    nginx:release()
    return nil, failure.new("io", ("nginx has ended with exit code %d: see"
      .. " %s/logs/error.log"):format(code, nginx.prefix))
  end
  job.console:note("stopping: what is on the wire gets its answer, for two"
    .. " minutes at most; a second signal ends it at once", { event = "stop" })
  local _, last = nginx:stop()
  if last ~= "TERM" and last ~= "KILL" then
    return ""
  end
  return nil, failure.new("cancelled", "nginx had not finished after two minutes"
    .. " and was ended; an order that was on the wire is unknown now: see"
    .. " starvideos pending")
end

local function run(job, wanted, server)
  local engine = require("starvideos.curl").network { inline = true }
  local function wait(seconds)
    engine:step(seconds)
  end
  local nginx, reason = launcher.start { prefix = wanted.folder, key = server.key,
    wait = wait, attempts = 1, configure = function()
      return write(wanted, server)
    end }
  if not nginx then
    return unstarted(reason)
  end
  core.begin_hangup()
  note_name(job, wanted)
  local told, why = announce(job, wanted, nginx)
  if told then
    serve(job, nginx, wait)
  end
  core.end_hangup()
  if not told then
    nginx:stop()
    return nil, failure.new("io", "cannot write the result: " .. tostring(why))
  end
  return finish(job, nginx)
end

-- Run a gateway until Ctrl-C, or until another program ends it. Returns a result to
-- print, maybe empty.
return function(job)
  local refusal = shell.refusal(core.system(), "the gateway", "start it in WSL or on another"
    .. " machine")
  if refusal then
    return unstarted(refusal)
  elseif job.options.new_token then
    return gateway_check.new_token(job)
  end
  local wanted, err = gateway_options.read(job)
  local server
  if wanted and wanted.print_config then
    return gateway_check.print(wanted)
  elseif wanted then
    job.options.ledger = wanted.ledger
    server, err = gateway_check.run(job, wanted)
  end
  if not server then
    return nil, err
  end
  return run(job, wanted, server)
end
