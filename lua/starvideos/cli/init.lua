--- The command line: `starvideos generate|create|query|wait|download|pending|
-- resume|adopt|dismiss|label|validate|models|sandbox`.
-- @module starvideos.cli

-- First, for it says best what to do where the part in C is missing.
local starvideos = require "starvideos"

local advice = require "starvideos.cli.advice"
local arguments = require "starvideos.cli.arguments"
local commands = require "starvideos.cli.commands"
local consoles = require "starvideos.cli.console"
local exit_codes = require "starvideos.cli.exit_codes"
local failure = require "starvideos.cli.failure"
local ledger = require "starvideos.cli.ledger"
local serve = require "starvideos.cli.serve"

local accepted = require("starvideos.options").accepted

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

-- Sleeps in short steps, so that the time in the progress line goes on.
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
  job.console:note(("the order was sent: waiting for its answer, %d s at most,"
    .. " so that its task is not lost; a second Ctrl-C quits at once, and then"
    .. " its outcome is unknown"):format(event.timeout),
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

-- The library raises at these, for there the program is wrong: here it is the
-- command line.
local function check_words(job)
  local given = job.options
  given.take = tonumber(given.take) or given.take
  for _, row in ipairs { { "--edition", given.edition, accepted.new.edition },
    { "--validation", given.validation, accepted.new.validation },
    { "--key", given.key, accepted.create.key },
    { "--take", given.take, accepted.create.take },
    { "--account", account_of(job), accepted.new.account } } do
    local ok, wanted = row[3](row[2])
    if row[2] and not ok then
      return ("%s must be %s, not %s"):format(row[1], wanted,
        (tostring(row[2]):gsub("%c", "?")))
    end
  end
end

local function check_ledger(job)
  local given = job.options
  if given.take and not given.key and not given.output and not given.order
    and not given.id then
    return "--take needs --key, or -o: together they name an order"
  end
  local what = arguments.needing_ledger(given)
  return what and not ledger_of(job)
    and what .. " needs a ledger: pass --ledger FILE or set STARVIDEOS_LEDGER"
end

local function make_client(job)
  local wrong = check_words(job) or check_ledger(job)
  if wrong then
    return failure.usage(wrong)
  end
  local key, problem = read_key(job.options, job.env)
  if problem then
    return nil, failure.new("io", ("cannot read the key file (%s); nothing was"
      .. " sent"):format(problem))
  end
  job.recorded = ledger_of(job) ~= nil
  return starvideos.new(client_options(job, key))
end

local function new_job(options, env)
  local job = { options = options, env = env, phase = "order",
    console = consoles.new(env, options) }
  function job.now()
    local clock = env.client_options.clock
    return clock and clock() or require("starvideos.core").now()
  end
  -- Shows what is done before there is a task. Only on a terminal: elsewhere it
  -- would print a line before each refusal.
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
  return exit_codes.code(err, job.phase)
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
    return report(job, failure.new("io", "cannot write the result: "
      .. tostring(problem)))
  end
  return err and report(job, err) or exit_codes.DONE
end

-- Ctrl-C between two operations, where neither turned it into an error.
local function interrupted(job)
  return report(job, failure.new("cancelled", job.task_id
    and ("interrupted; task %s goes on"):format(job.task_id)
    or "interrupted", { task_id = job.task_id }))
end

local orders_videos = { generate = true, create = true }

-- A defect, of this library or of a transport. It must not read like a task
-- that failed.
local function broken(job, problem)
  local kind, code, fate = "validation", exit_codes.USAGE, "nothing was ordered"
  if job.task_id then
    kind, code, fate = "protocol", exit_codes.RUNNING, "the task goes on"
  elseif job.client and orders_videos[job.options.command] then
    kind, code, fate = "outcome_unknown", exit_codes.UNKNOWN,
      "the order may have been sent, and bought"
  end
  return report(job, failure.new(kind, ("%s (%s)"):format(tostring(problem),
    fate), { exit = code, task_id = job.task_id }))
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

-- A command line that could not be read: it has no options.
local function misread(words, env, problem)
  local console = consoles.new(env, { json = asks_for_json(words) })
  if was_interrupted(problem) then
    console:failure(failure.new("cancelled", "interrupted; nothing was sent"))
    return exit_codes.INTERRUPTED
  end
  local name = arguments.is_command(words[1]) and words[1] .. " " or ""
  console:failure(failure.new("validation", problem),
    { ("see starvideos %s--help"):format(name) })
  return exit_codes.USAGE
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
    return exit_codes.DONE
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
