--- The command line: `starvideos generate|create|query|wait|download|pending|
-- resume|adopt|dismiss|label|validate|models|sandbox`.
-- @module starvideos.cli

local advice = require "starvideos.cli.advice"
local arguments = require "starvideos.cli.arguments"
local commands = require "starvideos.cli.commands"
local console_of = require "starvideos.cli.console"
local exit = require "starvideos.cli.exit_codes"
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
    width = function() return require("starvideos.core").columns(2) end,
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

local function account_of(job)
  local account = job.options.account or job.env.getenv "STARVIDEOS_ACCOUNT"
  return account ~= "" and account or nil
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
    account = account_of(job),
    interrupts = "return",
    on_event = function(event)
      if event.method == "POST" then
        job.sent = true
        local trouble = event.status == 429 and "too many requests"
          or event.failure and "no answer"
        if trouble then
          job.told("ordering: " .. trouble)
        end
      end
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
  dismiss = true, label = true }
local recorded_options = {
  { "--key", "key" }, { "--take", "take" },
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

local function check_naming(job)
  local accepted = options_of.accepted
  job.options.take = tonumber(job.options.take) or job.options.take
  for _, row in ipairs { { "--key", job.options.key, accepted.create.key },
    { "--take", job.options.take, accepted.create.take },
    { "--account", account_of(job), accepted.new.account } } do
    local ok, wanted = row[3](row[2])
    if row[2] and not ok then
      return ("%s must be %s"):format(row[1], wanted)
    end
  end
end

local function check_ledger(job)
  local key = job.options.key
  local problem = check_naming(job)
  if problem then
    return problem
  elseif job.options.take and not key and not job.options.output
    and not job.options.order and not job.options.id then
    return "--take needs --key, or -o: together they name an order"
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
    return nil, { kind = "io", usage = true, message = ("the key file cannot be"
      .. " read (%s); nothing was sent"):format(problem) }
  end
  job.recorded = ledger_of(job) ~= nil
  return starvideos.new(client_options(job, key))
end

local function new_job(options, env)
  local job = { options = options, env = env, phase = "order",
    console = console_of.new(env, options) }
  function job.now()
    local clock = env.client_options.clock
    return clock and clock() or require("starvideos.curl").now()
  end
  -- What is done before there is a task to wait for. On a terminal alone:
  -- elsewhere it would stand before each refusal.
  function job.told(what)
    job.doing = job.console.terminal and what or nil
    job.tick()
  end
  -- What is being waited for and, where known, how much of it is done.
  function job.describe()
    local task = not job.trouble and job.seen or nil
    return job.trouble or task and tostring(task.status or "waiting")
      or job.doing,
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

local orders_videos = { generate = true, create = true }

-- What should not have happened. Nobody is to read it as a task that failed.
local function broken(job, problem)
  local kind, code, fate = "validation", 2, "nothing was ordered"
  if job.task_id then
    kind, code, fate = "protocol", 4, "the task goes on"
  elseif job.client and orders_videos[job.options.command] then
    kind, code, fate = "outcome_unknown", 6,
      "the order may have been sent, and billed"
  end
  return report(job, { kind = kind, exit = code, task_id = job.task_id,
    message = ("%s (%s)"):format(tostring(problem), fate), usage = true })
end

local function asks_for_json(words)
  for _, word in ipairs(words) do
    if word == "--json" or word == "--" then
      return word == "--json"
    end
  end
end

local function was_interrupted(raised)
  return type(raised) == "string" and raised:find("interrupted!$") ~= nil
end

-- A line that could not be read, so that it has no options.
local function misread(words, env, problem)
  local console = console_of.new(env, { json = asks_for_json(words) })
  if was_interrupted(problem) then
    console:failure { kind = "cancelled", usage = true,
      message = "interrupted; nothing was sent" }
    return 130
  end
  local name = arguments.is_command(words[1]) and words[1] .. " " or ""
  console:failure(usage_error(problem), { ("see starvideos %s--help"):format(name) })
  return 2
end

--- Run a command line.
-- @tparam table words a list, as `arg`
-- @tparam[opt] table env for tests: `stdin`, `stdout`, `stderr`,
--   `getenv(name)`, `terminal()`, `stdout_terminal()`, `width()` (columns),
--   `client_options` (further options of the client)
-- @treturn number the exit code
function _M.main(words, env)
  env = env or real_environment()
  local read, options, text, asked = pcall(arguments.parse, words,
    starvideos._VERSION)
  if read and asked then
    env.stdout:write(text, "\n")
    return 0
  elseif not read or not options then
    return misread(words, env, text or options)
  end
  local job = new_job(options, env)
  local ok, code = pcall(execute, job)
  if ok then
    return code
  elseif was_interrupted(code) then
    return interrupted(job)
  end
  return broken(job, code)
end

return _M
