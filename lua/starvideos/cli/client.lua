-- The client that a command line asks for, made of its options and the environment.

local arguments = require "starvideos.cli.arguments"
local consoles = require "starvideos.cli.console"
local core = require "starvideos.core"
local failure = require "starvideos.cli.failure"
local keys = require "starvideos.cli.key"
local locations = require "starvideos.ledger.location"
local options = require "starvideos.options"
local redact = require "starvideos.base.redact"
local starvideos = require "starvideos"
local values = require "starvideos.cli.values"

local _M = {}

local TICK_SECONDS = 1

-- Where the commands for many orders find their ledger, unless one is named.
local LEDGER = "starvideos.db"

local variables = { base_url = "STARVIDEOS_BASE_URL",
  ledger = "STARVIDEOS_LEDGER", account = "STARVIDEOS_ACCOUNT" }

-- An option, or else the environment's variable.
local function setting(job, name)
  local value = job.options[name] or job.env.getenv(variables[name])
  return value ~= "" and value or nil
end

-- Sleeps in short steps, so that the time in the progress line goes on.
local function ticking_sleep(job)
  local engine
  return function(seconds)
    engine = engine or require("starvideos.curl").network { inline = true }
    job.tick()
    local until_then = core.now() + math.min(seconds, TICK_SECONDS)
    repeat
      engine:step(math.max(0, until_then - core.now()))
    until core.now() >= until_then
  end
end

local function show_interrupt(job, event)
  job.console:note(("the order was sent: waiting for its answer, %d s at most,"
    .. " so that its task is not lost; a second signal quits at once, and then"
    .. " its outcome is unknown"):format(event.timeout),
    { event = "interrupt", timeout = event.timeout })
end

local function show_event(job, event)
  if event.method == "POST" then
    job.sent, job.ordered = true, event.task_id
    local trouble = event.status == 429 and "too many requests"
      or event.failure and "no answer"
    if trouble then
      job.told("ordering: " .. trouble)
    end
  end
  if job.on_event then
    job.on_event(event)
  elseif event.name == "limit" then
    job.told(event.state == "reached" and "waiting for the limit "
      .. event.limit or "ordering...")
  end
  if event.name == "interrupt" then
    show_interrupt(job, event)
  elseif event.name == "notice" then
    local about = event.key or event.order
    job.console:note((about and ("the order %s: "):format(about) or "warning: ")
      .. event.reason, { event = "notice", notice = event.notice,
      order = event.order, task_id = event.task_id })
  elseif job.options.verbose then
    job.console:event(event)
  end
end

-- A job goes on without its log.
local function open_log(job)
  local path = job.options.log
  if not path then
    return nil
  end
  return consoles.log(path, function(why)
    job.console:note(redact.text(("the log %s cannot be written (%s); the"
      .. " command goes on without it"):format(path, why)),
      { event = "log", failure = redact.text(why) })
  end)
end

local function settings_of(job, key)
  local given = job.options
  local settings = {
    api_key = key,
    base_url = setting(job, "base_url"),
    edition = given.edition,
    validation = given.validation,
    ca_file = given.ca_file,
    insecure_http = given.insecure_http or nil,
    private_links = given.private_links or nil,
    max_video = given.max_video and values.bytes(given.max_video),
    max_answer = given.max_answer and values.bytes(given.max_answer),
    ledger = setting(job, "ledger"),
    account = setting(job, "account"),
    prices = given.prices,
    interrupts = "return",
    on_event = function(event)
      if job.log then
        job.log(event)
      end
      show_event(job, event)
    end,
    sleep = job.console.terminal and ticking_sleep(job) or nil,
  }
  for name, value in pairs(job.env.client_options) do
    settings[name] = value
  end
  return settings
end

local function size(text)
  local bytes, wanted = values.bytes(text)
  return bytes ~= nil and bytes > 0, wanted
end

-- Words at which the library raises, because a program that passes them is
-- wrong: here it is the command line.
local function check_words(job)
  local given, accepted = job.options, options.accepted
  given.take = tonumber(given.take) or given.take
  for _, row in ipairs { { "--edition", given.edition, accepted.new.edition },
    { "--validation", given.validation, accepted.new.validation },
    { "--accept", given.accept, accepted.download.accept },
    { "--key", given.key, accepted.create.key },
    { "--take", given.take, accepted.create.take },
    { "--label", given.command ~= "label" and given.label or nil,
      accepted.create.label },
    { "--max-video", given.max_video, size },
    { "--max-answer", given.max_answer, size },
    { "--account", setting(job, "account"), accepted.new.account } } do
    local ok, wanted = row[3](row[2])
    if row[2] and not ok then
      return ("%s must be %s, not %s"):format(row[1], wanted,
        tostring(row[2]))
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
  return what and not job.recorded
    and what .. " needs a ledger: pass --ledger FILE or set STARVIDEOS_LEDGER"
end

-- A command for many orders finds its ledger where the batch before it made it.
local function choose_ledger(job)
  local has_default, makes, reads = arguments.default_ledger(job.options)
  local named = setting(job, "ledger")
  local location = named and locations.read(named)
  if reads and location and location.path and not core.kind(named) then
    return ("there is no ledger %s: is its name right?"):format(named)
  elseif not has_default or named then
    return nil
  elseif not makes and not core.kind(LEDGER) then
    return ("there is no ledger: neither --ledger nor STARVIDEOS_LEDGER names"
      .. " one, and %s/%s, the default, is not there; batch makes it"):format(
      core.directory() or ".", LEDGER)
  end
  job.options.ledger = LEDGER
end

-- The ledger that a command would use that takes what it finds. Returns address; nil
-- where none is named and ./starvideos.db is not there.
function _M.ledger(job)
  return setting(job, "ledger") or core.kind(LEDGER) and LEDGER or nil
end

-- Make a client that looks, and orders nothing. `more`: further options of
-- `starvideos.new`.
function _M.plain(job, key, more)
  local wrong = check_words(job)
  if wrong then
    return failure.usage(wrong)
  end
  local settings = settings_of(job, key)
  settings.ledger, settings.prices = nil, nil
  for name, value in pairs(more) do
    settings[name] = value
  end
  return starvideos.new(settings)
end

-- Make the client of a job, and note in `job.recorded` whether it has a ledger and in
-- `job.sent` when it sends an order.
function _M.new(job)
  local wrong = choose_ledger(job)
  job.recorded = setting(job, "ledger") ~= nil
  wrong = wrong or check_words(job) or check_ledger(job)
  if wrong then
    return failure.usage(wrong)
  end
  local key, problem = keys.of(job)
  if problem then
    return nil, failure.new("io", ("cannot read the key file (%s); nothing was"
      .. " sent"):format(problem))
  end
  job.log, job.end_log = open_log(job)
  job.has_key = key ~= nil and key ~= ""
  return starvideos.new(settings_of(job, key))
end

return _M
