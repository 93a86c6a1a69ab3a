-- The command `sandbox`: a provider in the foreground.

local c_locale = require "starvideos.base.c_locale"
local json = require "starvideos.base.json"
local failure = require "starvideos.cli.failure"

-- Options that are passed on as numbers.
local NUMBERS = { "port", "seconds", "queued_seconds", "open",
  "creates_per_minute", "polls_per_second", "price", "balance", "drawn" }

local function scenario_list(as_json)
  local list = require("starvideos.sandbox.scenario").list()
  if as_json then
    return json.encode { scenarios = list }
  end
  local lines = {}
  for _, row in ipairs(list) do
    lines[#lines + 1] = ("%-28s %-7s %s"):format(row.name, row.place, row.what)
  end
  return table.concat(lines, "\n")
end

local function exports(server)
  local lines = {
    ("export STARVIDEOS_BASE_URL=%s"):format(server.base_url),
    ("export STARVIDEOS_API_KEY=%s"):format(server.key),
  }
  if server.ca_file then
    lines[#lines + 1] = "export SSL_CERT_FILE=" .. server.ca_file
  end
  return table.concat(lines, "\n")
end

local function announce(console, server, as_json)
  if as_json then
    return console:result(json.encode {
      base_url = server.base_url, api_key = server.key,
      ca_file = server.ca_file, pid = server.pid,
    })
  end
  return console:result(exports(server))
end

-- Run the sandbox until Ctrl-C, or until another program ends it. `options`: of the
-- command line. Returns a result to print, maybe empty.
return function(options, console)
  if options.list_scenarios then
    return scenario_list(options.json)
  end
  local settings = { scenario = options.scenario, tls = options.tls }
  for _, name in ipairs(NUMBERS) do
    settings[name] = c_locale.tonumber(options[name])
    if options[name] and not settings[name] then
      return failure.usage(("--%s takes a number, not %s"):format(
        (name:gsub("_", "-")), options[name]))
    end
  end
  if options.scenario and not require("starvideos.sandbox.scenario").parse(
    options.scenario) then
    return failure.usage(("there is no scenario %s; see"
      .. " --list-scenarios"):format(options.scenario))
  end
  local server, problem = require("starvideos.sandbox.nginx").start(settings)
  if not server then
    return nil, failure.new("io", problem)
  end
  local told, why = announce(console, server, options.json)
  if not told then
    server:stop()
    return nil, failure.new("io", "cannot write the result: "
      .. tostring(why))
  end
  local engine = require("starvideos.curl").network { inline = true }
  server:run(function(seconds)
    engine:step(seconds)
  end)
  return ""
end
