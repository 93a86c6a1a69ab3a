-- The command line: `starvideos COMMAND`; `starvideos.cli.declarations` lists the
-- commands.

-- First, for it says best what to do where the part in C is missing.
require "starvideos"

local next_steps = require "starvideos.cli.next_steps"
local arguments = require "starvideos.cli.arguments"
local batch = require "starvideos.cli.batch"
local clients = require "starvideos.cli.client"
local commands = require "starvideos.cli.commands"
local consoles = require "starvideos.cli.console"
local core = require "starvideos.core"
local failure = require "starvideos.cli.failure"
local ledger = require "starvideos.cli.ledger"
local status = require "starvideos.cli.status"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- The streams of a person at a terminal are in UTF-8. A console of Windows gives and
-- takes texts of the code page, unless it is asked for all characters there are.

-- How long a call may keep Ctrl-C from being noticed.
local NOTICE_SECONDS = 0.1

-- Wait for a line from the person at the terminal, wherever stdin comes from. Ctrl-C is
-- raised between two looks. Returns without its end; nil where there will be none.
function _M.read_line()
  local line
  repeat
    line = core.read_terminal(NOTICE_SECONDS)
  until line ~= nil
  return line or nil
end

local function is_console(descriptor)
  return core.system() == "windows" and core.is_terminal(descriptor)
end

-- All that is typed until the end, which is Ctrl-Z there.
local function read_all()
  local lines = {}
  for line in _M.read_line do
    lines[#lines + 1] = line .. "\n"
  end
  return table.concat(lines)
end

-- What stdin gives.
function _M.input(stdin)
  return is_console(0) and { read = read_all } or stdin
end

-- What takes texts for stdout or stderr. Returns with `write` and `flush`.
function _M.output(descriptor, stream)
  if not is_console(descriptor) then
    return stream
  end
  return {
    write = function(self, ...)
      local ok, why = core.write_terminal(descriptor, table.concat { ... })
      return ok and self, why
    end,
    flush = function() return true end,
  }
end

-- What each command does.
local functions = {}
for _, module in ipairs { batch, commands, ledger, status } do
  for name, run in pairs(module) do
    functions[name] = arguments.is_command(name) and run or nil
  end
end

-- A terminal to ask on; the list of orders may come from stdin.
local function can_ask(stdin_is_taken)
  if not core.is_terminal(2) then
    return false
  elseif not stdin_is_taken then
    return core.is_terminal(0)
  end
  return core.can_ask()
end

local function real_environment()
  local stderr = _M.output(2, io.stderr)
  return {
    stdin = _M.input(io.stdin),
    stdout = _M.output(1, io.stdout),
    stderr = stderr,
    getenv = core.getenv,
    terminal = function() return core.is_terminal(2) end,
    stdout_terminal = function() return core.is_terminal(1) end,
    can_ask = can_ask,
    ask = function(question)
      stderr:write(utf8.shown(question))
      stderr:flush()
      return _M.read_line() or ""
    end,
    size = function() return core.terminal_size(2) end,
    stdout_size = function() return core.terminal_size(1) end,
    lose_reader = core.lose_reader,
    client_options = {},
  }
end

local function new_job(options, env)
  options.json = options.json or options.json_lines
  local job = { options = options, env = env, phase = "order",
    console = consoles.new(env, options) }
  function job.now()
    local clock = env.client_options.clock
    return clock and clock() or core.now()
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
  job.console:failure(err, err.advice or next_steps.of(job, err))
  return failure.code(err, job.phase)
end

-- Commands that need no client, or make their own: loaded when they are called.
local without_client = {
  sandbox = function(job)
    return require("starvideos.cli.serve")(job.options, job.console)
  end,
  gateway = function(job) return require("starvideos.cli.gateway")(job) end,
  doctor = function(job) return require("starvideos.cli.doctor").run(job) end,
  completion = function(job)
    return require("starvideos.cli.manual").completion(job.options.shell)
  end,
  manual = function() return require("starvideos.cli.manual").text() end,
}

local function run(job)
  local alone = without_client[job.options.command]
  if alone then
    return alone(job)
  end
  local client, err = clients.new(job)
  if not client then
    return nil, err
  end
  job.client = client
  return functions[job.options.command](job)
end

-- Commands with a result that somebody has paid for. Others only list what can be
-- asked again, and say nothing to a reader that has seen enough.
local buys = { generate = true, create = true, batch = true, work = true,
  resume = true, wait = true, download = true }

-- Where the id stands, once stdout did not take it.
local function unwritten(job, problem)
  local text, id = "cannot write the result: " .. tostring(problem), job.task_id
  local lines
  if job.saved then
    text, lines = ("%s; the video%s is saved as %s"):format(text, id
      and " of task " .. id or "", job.saved), {}
  elseif id and job.options.command == "create" then
    text = ("%s; task %s was ordered"):format(text, id)
  elseif id then
    lines = { "to see it again: " .. next_steps.command(job, "query", { id }) }
  elseif buys[job.options.command] then
    lines = { "what became of the orders: " .. next_steps.command(job, "orders",
      {}) }
  end
  return failure.new("io", text, { advice = lines, task_id = id })
end

-- Tells how a command has ended; returns the exit code.
local function deliver(job, result, err)
  local written, problem, is_unread, failed = true, nil, nil, nil
  if result and result ~= "" then
    written, problem, is_unread, failed = job.console:result(result)
  end
  err = err or failed
  local code = err and report(job, err) or failure.DONE
  if written or code == failure.INTERRUPTED then
    return code
  elseif not is_unread or buys[job.options.command] and not job.options.dry_run then
    report(job, unwritten(job, problem))
  end
  return failure.DISK
end

local function execute(job)
  return deliver(job, run(job))
end

local orders_videos = { generate = true, create = true }
local UNSURE = "the order may have been sent, and bought"

-- The task of a command that orders one video, also where an error came between its
-- answer and the command: the client that is closed reports it.
local function task_of(job)
  if orders_videos[job.options.command] and job.client then
    pcall(job.client.close, job.client)
    return job.task_id or job.ordered
  end
  return job.task_id
end

-- Ctrl-C between two operations, where neither turned it into an error.
local function interrupted(job)
  local id = task_of(job)
  local fate = id and ("task %s goes on"):format(id)
    or orders_videos[job.options.command] and (job.sent and UNSURE or "nothing was sent")
  return report(job, failure.new("cancelled", "interrupted"
    .. (fate and "; " .. fate or ""), { task_id = id }))
end

-- A defect, of this library or of a transport. It must not read like a task
-- that failed.
local function broken(job, problem)
  local kind, code, fate = "validation", failure.USAGE, "nothing was ordered"
  local id = task_of(job)
  if id then
    kind, code, fate = "protocol", failure.RUNNING, "the task goes on"
  elseif job.client and orders_videos[job.options.command] then
    kind, code, fate = "outcome_unknown", failure.UNKNOWN, UNSURE
  end
  return report(job, failure.new(kind, ("%s (%s)"):format(tostring(problem),
    fate), { exit = code, task_id = id }))
end

local function asks_for_json(words)
  for _, word in ipairs(words) do
    if word == "--json" or word == "--json-lines" or word == "--" then
      return word ~= "--"
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
    return failure.INTERRUPTED
  end
  local name = arguments.is_command(words[1]) and words[1] .. " " or ""
  console:failure(failure.new("validation", problem),
    { ("see starvideos %s--help"):format(name) })
  return failure.USAGE
end

local function versions_text()
  return require("starvideos.cli.doctor").versions_text()
end

local function perform(words, env)
  local read, options, text, asked = pcall(arguments.parse, words, versions_text,
    env.stdout_terminal() and env.stdout_size() or nil)
  if read and asked then
    return deliver(new_job({}, env), text)
  elseif not read or not options then
    return misread(words, env, text or options)
  end
  local job = new_job(options, env)
  local ok, code = pcall(execute, job)
  if job.end_log then
    job.end_log()
  end
  if ok then
    return code
  elseif was_interrupted(code) then
    return interrupted(job)
  end
  return broken(job, code)
end

-- The same words as the system keeps them, where `arg` has them in the code page.
-- Their number tells whether the program took them apart as it did.
local function own_words(words)
  local all, first = core.words(), 0
  while words[first - 1] do
    first = first - 1
  end
  if not all or #all ~= #words - first + 1 then
    return words
  end
  local own = {}
  for index = 1, #words do
    own[index] = all[index - first + 1]
  end
  return own
end

-- On Windows Ctrl-C sets its hook on another thread, and what LuaJIT has compiled
-- looks at none: the command, which mostly waits, is interpreted there.
local function stop_compiling()
  local jit = rawget(_G, "jit")
  if jit and core.system() == "windows" then
    jit.off()
    jit.flush()
  end
end

-- The code where the work was ended from outside, or nobody reads what it says.
local function code_after(came, code)
  if came == "signal" and code == failure.INTERRUPTED then
    return failure.TERMINATED
  elseif came == "reader" and (code == failure.INTERRUPTED
    or code == failure.DONE) then
    return failure.DISK
  end
  return code
end

-- In this process itself. A signal may also come where nothing waits for one.
local function perform_here(words)
  core.fill_descriptors() -- before anything opens a socket
  core.begin_termination()
  stop_compiling()
  core.begin_terminal()
  local ok, code = pcall(perform, own_words(words), real_environment())
  core.end_terminal()
  core.end_termination()
  if not ok and not was_interrupted(code) then
    error(code, 0)
  end
  return code_after(core.termination_came(), ok and code
    or failure.INTERRUPTED)
end

-- Run a command line. Without `env` it is this process's own, and SIGTERM and SIGHUP
-- stop it as Ctrl-C does. `words`: a list, as `arg`. `env`: for tests: `stdin`,
-- `stdout`, `stderr`, `getenv(name)`, `terminal()`, `stdout_terminal()`, `size()` and
-- `stdout_size()` (columns and rows), `can_ask(stdin_is_taken)` and `ask(question)`
-- (whether there is a person, and the answer), `client_options` (further options of the
-- client). Returns the exit code.
function _M.main(words, env)
  return env and perform(words, env) or perform_here(words)
end

return _M
