--- The command line: `starvideos generate|create|query|wait|download|pending|
-- resume|adopt|dismiss|validate|models|sandbox`.
-- @module starvideos.cli

local advice = require "starvideos.cli.advice"
local arguments = require "starvideos.cli.arguments"
local commands = require "starvideos.cli.commands"
local console_of = require "starvideos.cli.console"
local exit = require "starvideos.cli.exit"
local ledger = require "starvideos.cli.ledger"
local options_of = require "starvideos.options"
local serve = require "starvideos.cli.serve"
local starvideos = require "starvideos"

local _M = {}

local TICK_SECONDS = 1

-- Pure Lua cannot ask; the shell can.
local function is_terminal(descriptor)
  local status = os.execute(("test -t %d"):format(descriptor))
  return status == true or status == 0
end

local function real_environment()
  return {
    stdin = io.stdin,
    stdout = io.stdout,
    stderr = io.stderr,
    getenv = os.getenv,
    terminal = function() return is_terminal(2) end,
    stdout_terminal = function() return is_terminal(1) end,
    width = tonumber(os.getenv "COLUMNS"),
    client_options = {},
  }
end

local function first_line(name)
  local file, problem = io.open(name, "rb")
  if not file then
    return nil, problem
  end
  local line = file:read("*l")
  file:close()
  return ((line or ""):gsub("\r$", ""))
end

local function read_key(options, env)
  if options.api_key_file then
    return first_line(options.api_key_file)
  end
  return env.getenv "STARVIDEOS_API_KEY"
end

-- Sleeps in short spans, so that the time in the progress line runs on.
local function ticking_sleep(job)
  local engine
  return function(seconds)
    engine = engine or require("starvideos.curl").engine {}
    job.tick()
    engine:step(math.min(seconds, TICK_SECONDS))
  end
end

local function ledger_of(job)
  local address = job.options.ledger or job.env.getenv "STARVIDEOS_LEDGER"
  return address ~= "" and address or nil
end

local function tell_of_interrupt(job, event)
  job.console:note(("waiting for the answer to the order that was sent, %d s at"
    .. " most, so that its task is not lost; a second Ctrl-C ends this at once,"
    .. " and then nobody knows whether it was bought"):format(event.timeout),
    { event = "interrupt", timeout = event.timeout })
end

local function client_options(job, key)
  local options, env = job.options, job.env
  local base_url = options.base_url or env.getenv "STARVIDEOS_BASE_URL"
  local wanted = {
    api_key = key,
    base_url = base_url ~= "" and base_url or nil,
    edition = options.edition,
    validation = options.validation,
    ca_file = options.ca_file,
    insecure_http = options.insecure_http or nil,
    ledger = ledger_of(job),
    interrupts = "return",
    on_event = function(event)
      job.sent = job.sent or event.method == "POST"
      if event.name == "interrupt" then
        tell_of_interrupt(job, event)
      elseif options.verbose then
        job.console:event(event)
      end
    end,
    sleep = job.console.terminal and ticking_sleep(job) or nil,
  }
  for name, value in pairs(env.client_options) do
    wanted[name] = value
  end
  return wanted
end

local choices = {
  edition = { xingchao = true, mingyan = true },
  validation = { strict = true, advisory = true, off = true },
}

local function check_choices(options)
  for name, known in pairs(choices) do
    if options[name] and not known[options[name]] then
      local names = {}
      for choice in pairs(known) do
        names[#names + 1] = choice
      end
      table.sort(names)
      return ("--%s must be one of %s, not %s"):format(name,
        table.concat(names, ", "), options[name])
    end
  end
end

-- Commands, and options of a command, that make no sense without a ledger.
local recorded_commands = { pending = true, resume = true, adopt = true,
  dismiss = true }
local recorded_options = {
  { "--key", "key" }, { "--resubmit", "resubmit" },
  { "-o", "output", "create" },
}

local function needs_ledger(options)
  if recorded_commands[options.command] then
    return options.command
  end
  for _, row in ipairs(recorded_options) do
    if options[row[2]] and (not row[3] or row[3] == options.command) then
      return row[1] .. " of " .. options.command
    end
  end
end

local function check_ledger(job)
  local key = job.options.key
  local ok, wanted = options_of.accepted.create.key(key)
  if key and not ok then
    return "--key must be " .. wanted
  elseif job.options.resubmit and not key then
    return "--resubmit needs --key: it orders anew what has that key"
  end
  local what = needs_ledger(job.options)
  return what and not ledger_of(job)
    and what .. " needs a ledger: pass --ledger FILE or set STARVIDEOS_LEDGER"
end

local function usage_error(message)
  return { kind = "validation", message = message, usage = true }
end

local function make_client(job)
  local wrong = check_choices(job.options) or check_ledger(job)
  if wrong then
    return nil, usage_error(wrong)
  end
  local key, problem = read_key(job.options, job.env)
  if problem then
    return nil, { kind = "io", message = problem, usage = true }
  end
  return starvideos.new(client_options(job, key))
end

local function new_job(options, env)
  local job = { options = options, env = env, phase = "order",
    console = console_of.new(env, options) }
  function job.now()
    local clock = env.client_options.clock
    return clock and clock() or require("starvideos.curl").now()
  end
  -- What is being waited for and, where known, how much of it is done.
  function job.describe()
    local task = job.seen
    return task and tostring(task.status or "waiting"),
      task and task.progress and task.progress / 100 or nil
  end
  function job.tick()
    local what, share = job.describe()
    if what and what ~= "" then
      job.console:progress(what, share,
        job.began and job.now() - job.began or nil)
    end
  end
  return job
end

local function report(job, err)
  if err.usage then
    setmetatable(err, { __tostring = function(self) return self.message end })
  end
  job.console:failure(err, advice.of(job, err))
  return err.exit or exit.code(err, job.phase)
end

local function run(job)
  if job.options.command == "sandbox" then
    return serve(job.options, job.console)
  end
  local client, err = make_client(job)
  if not client then
    return nil, err
  end
  job.client = client
  local name = job.options.command
  return (commands[name] or ledger[name])(job)
end

local function execute(job)
  local result, err = run(job)
  local written, problem = true, nil
  if result and result ~= "" then
    written, problem = job.console:result(result)
  end
  if not written then
    return report(job, { kind = "io", usage = true,
      message = "cannot write the result: " .. tostring(problem) })
  end
  return err and report(job, err) or 0
end

-- Ctrl-C between two steps, where no operation could turn it into an error.
local function interrupted(job)
  return report(job, { kind = "cancelled", usage = true,
    task_id = job.task_id, message = job.task_id
      and ("interrupted; task %s goes on"):format(job.task_id)
      or "interrupted" })
end

--- Run a command line.
-- @tparam table words a list, as `arg`
-- @tparam[opt] table env for tests: `stdin`, `stdout`, `stderr`,
--   `getenv(name)`, `terminal()`, `stdout_terminal()`, `width` (columns),
--   `client_options` (further options of the client)
-- @treturn number the exit code
function _M.main(words, env)
  env = env or real_environment()
  local options, text, asked = arguments.parse(words, starvideos._VERSION)
  if asked then
    env.stdout:write(text, "\n")
    return 0
  elseif not options then
    env.stderr:write("starvideos: ", text, "\nsee starvideos --help\n")
    return 2
  end
  local job = new_job(options, env)
  local ok, code = pcall(execute, job)
  if ok then
    return code
  elseif type(code) == "string" and code:find("interrupted!$") then
    return interrupted(job)
  end
  error(code, 0)
end

return _M
