--- The command line's words, as data, read by argparse.
-- @module starvideos.cli.arguments

local exit_codes = require "starvideos.cli.exit_codes"
local fields = require "starvideos.cli.fields"

local _M = {}

-- An option: words, description, argument's name (none for a flag), "*" if
-- repeatable; `kept`: it holds for the next command as well, and none of these
-- is the key; `needs_ledger`.
local common = {
  { "--json", "errors and notes on stderr as JSON, one object a line" },
  { "-q --quiet", "no progress and no notes on stderr" },
  { "-v --verbose", "every exchange on stderr; never the key" },
  { "--base-url", "API address (default: STARVIDEOS_BASE_URL, else the"
    .. " provider's)", "URL", kept = true },
  { "--api-key-file", "file whose first line is the key (default: the"
    .. " environment's STARVIDEOS_API_KEY; no option takes the key itself,"
    .. " because others can read a program's arguments)", "FILE", kept = true },
  { "--edition", "models and limits of one documentation alone: xingchao or"
    .. " mingyan", "NAME" },
  { "--ca-file", "certificates to trust (default: SSL_CERT_FILE, else the"
    .. " system's)", "FILE", kept = true },
  { "--insecure-http", "allow http to another host than this one",
    kept = true },
}

local video = fields.rows()
for _, row in ipairs {
  { "--prompt-file", "file that holds the prompt", "FILE" },
  { "--param", "any other field; the value as JSON, else as text; may be"
    .. " repeated", "NAME=VALUE", "*" },
  { "--params", "file with all fields as a JSON object; - is stdin", "FILE" },
  { "--validation", "strict (default), advisory or off", "MODE" },
} do
  video[#video + 1] = row
end

local recording = {
  { "--ledger", "ledger that records every order, so that none is lost or"
    .. " bought twice: a file, or a postgres:// URL, whose password is better"
    .. " left to the environment (default: STARVIDEOS_LEDGER, else none)",
    "FILE", kept = true },
  { "--account", "your own name for the account that the key belongs to, for"
    .. " a ledger that several accounts share (default: STARVIDEOS_ACCOUNT,"
    .. " else none)", "NAME", kept = true },
  { "--log", "append every event to a file, a line of JSON each", "FILE",
    kept = true },
}

-- The same for commands that find their ledger in the current folder.
local keeping = { { "--ledger", "ledger that holds the orders: a file, or a"
  .. " postgres:// URL, whose password is better left to the environment"
  .. " (default: STARVIDEOS_LEDGER, else starvideos.db in this folder)", "FILE",
  kept = true }, recording[2], recording[3] }

local naming = {
  { "--key", "your own name for this order (needs a ledger; default: the"
    .. " file's path); the same key again orders nothing and returns the same"
    .. " task", "NAME", needs_ledger = true },
  { "--take", "another take of a key is another order (default: 1): for when"
    .. " the first failed, or its outcome is unknown and you have checked your"
    .. " account with the provider", "N", needs_ledger = true },
}

local waiting = {
  { "--timeout", "stop waiting after so many seconds (default: 1800); the"
    .. " task goes on", "SECONDS" },
  { "--interval", "seconds between polls at first (default: 30)", "SECONDS" },
  { "--max-interval", "and in the end (default: 60)", "SECONDS" },
  { "--first-poll", "seconds until the first poll (default: one interval; for"
    .. " wait and resume: 0)", "SECONDS" },
}

-- The same for many orders.
local waiting_for_all = { waiting[1], waiting[2], waiting[3] }

local pricing = {
  { "--prices", "what orders cost, by model, as JSON: see Many videos in docs;"
    .. " without prices nothing is sent where a spend is limited", "FILE",
    kept = true },
}

local labelling = {
  { "--label", "a label of your own, for limits and lists (needs a ledger)",
    "NAME", needs_ledger = true },
}

local spend = { "--spend", "spend no more than that each day (UTC), or in all;"
  .. " the ledger keeps this limit, for all programs that use it",
  "N[/day|/total]" }
local folder_of_all = { "-o --output", "folder for the videos (default: this"
  .. " one), made where it is missing", "DIR" }
local claims = { "--claims", "orders that it works on at the same time"
  .. " (default: 64)", "N" }

local batching = {
  { "-n --dry-run", "check and price every line; order nothing" },
  { "-y --yes", "order without asking" },
  { "--at-most", "no more tasks open at the same time; the ledger keeps this"
    .. " limit, for all programs that use it", "N" },
  spend,
  { "--label", "label of the lines that have none, for limits and lists",
    "NAME" },
  claims,
}

local working = {
  { "--follow", "wait for further orders when none is left" },
  { "--resume", "let a queue go on that has stopped itself; see status" },
  claims,
}

local listing = {
  { "--state", "only orders in this state; may be repeated", "STATE", "*" },
  { "--since", "only orders placed since: 30m, 12h or 7d ago, a date (UTC) or"
    .. " Unix seconds", "TIME" },
  { "--before", "only orders placed before", "TIME" },
  { "--label", "only orders with this label", "NAME" },
  { "--limit", "so many at most", "N" },
}

local limiting = {
  { "--open", "tasks open at the same time", "N" },
  { "--creates-per-minute", "orders sent in any 60 seconds", "N" },
  { "--polls-per-second", "polls of all programs together", "N" },
  spend,
  { "--currency", "of the spend (default: that of the prices)", "NAME" },
  { "--refund-failed", "the provider pays failed tasks back: they give their"
    .. " part of the spend back" },
  { "--for-label", "for orders with this label only", "NAME" },
  { "--for-account", "for orders of this account only", "NAME" },
  { "--remove", "remove a limit, by its name in the list; may be repeated",
    "NAME", "*" },
}

local archiving = { { "--before", "orders that ended so many days ago, or longer"
  .. " (default: 30)", "DAYS" } }

local output = { "-o --output", "file to save the video in", "FILE" }
local later = { "-o --output", "file that resume is to save the video in (needs"
  .. " a ledger)", "FILE", needs_ledger = true }
local folder = { "-o --output", "folder for the videos whose order named no"
  .. " file (default: this one), and for those ordered on another machine",
  "DIR" }
local also_missing = { "--missing", "also query tasks that the provider has not"
  .. " known for a day" }
local force = { "-f --force --overwrite", "overwrite the file" }

local which_take = { "--take", "which take of a key (default: 1)", "N",
  needs_ledger = true }
local every_order = { "-a --all", "also the orders that need nothing more:"
  .. " saved, failed, refused, dismissed" }
local give_up = { "-f --force", "also one that was bought and can still be"
  .. " downloaded" }

-- What positional arguments are.
local meaning = {
  id = "the task's id, which ordering printed; with a ledger also the order's"
    .. " id, key or file",
  order = "the order's id, key or file, see pending",
  label = "its account, a name of your own",
  manifest = "a list of orders, a JSON object a line; - is stdin",
  action = "backup: copy a ledger in a file, while others use it (of PostgreSQL:"
    .. " use pg_dump)",
  file = "the copy, which must not be there",
}

local serving = {
  { "--port", "port of the API (default: a free one)", "PORT" },
  { "--seconds", "from order to video (default: 5)", "SECONDS" },
  { "--queued-seconds", "of these, how many queued (default: 1)", "SECONDS" },
  { "--scenario", "fault that every request meets", "NAME[=N]" },
  { "--open", "tasks that may be open at a time; then HTTP 429", "N" },
  { "--creates-per-minute", "as it says; then HTTP 429", "N" },
  { "--polls-per-second", "as it says; then HTTP 429", "N" },
  { "--price", "of each video (default: 0)", "AMOUNT" },
  { "--balance", "what there is to spend; then HTTP 402", "AMOUNT" },
  { "--tls", "https, with a certificate made for the occasion" },
  { "--list-scenarios", "print the names of the faults and end" },
  { "--json", "what to use, or the faults, as JSON" },
}

local gating = {
  { "--port", "port to listen on (default: 8080)", "PORT" },
  { "--listen", "address to listen on (default: 127.0.0.1); any but this"
    .. " machine's own needs --callers", "ADDRESS" },
  { "--folder", "folder for its files and the videos (default:"
    .. " starvideos-gateway in this folder; with --print-config"
    .. " /var/lib/starvideos)", "DIR" },
  { "--ledger", "ledger of its orders: a file, or a postgres:// URL, whose"
    .. " password is better left to the environment (default:"
    .. " STARVIDEOS_LEDGER, else ledger.db in its folder)", "FILE" },
  { "--callers", "who may order, and how much: JSON, read again at SIGHUP; see"
    .. " Gateway in docs", "FILE" },
  { "--host", "name that requests are for, beside this machine's own; may be"
    .. " repeated", "NAME", "*" },
  { "--public-url", "what callers connect to, where a proxy is before it:"
    .. " https://videos.example", "URL" },
  { "--tls-cert", "certificate, with those between it and its authority",
    "FILE" },
  { "--tls-key", "its key", "FILE" },
  { "--workers", "processes of nginx (default: 2)", "N" },
  { "--keep-days", "remove a video so many days after it was made (default: 7;"
    .. " 0: never)", "DAYS" },
  { "--keep-bytes", "remove the oldest videos beyond so much (default: 20G; 0:"
    .. " never)", "SIZE" },
  { "--interval", "seconds between two polls of a task at first (default: 30)",
    "SECONDS" },
  { "--user", "account of its workers, where root starts it (default: the owner"
    .. " of its folder)", "NAME" },
  { "--print-config", "write the configuration for an nginx of your own to a"
    .. " folder, with a systemd unit, and start nothing", "DIR" },
  { "--new-token", "make a token for a caller, with its entry for --callers, and"
    .. " start nothing", "NAME" },
}

--- The commands in the order of the help: name, description, positional
-- arguments, groups of options, single options;
-- `default_ledger`: where no ledger is given it is ./starvideos.db, which must be
-- there, unless the command `makes` it. One that only `reads` makes none by any name.
_M.commands = {
  { "generate", "order a video, wait for it, save it", {},
    { video, naming, labelling, recording, pricing, waiting, common },
    { output, force } },
  { "create", "order a video and print the task", {},
    { video, naming, labelling, recording, pricing, common }, { later } },
  { "query", "poll a task once", { "id" }, { recording, common },
    { which_take } },
  { "wait", "wait until a task ends; save the video with -o", { "id" },
    { recording, waiting, common }, { output, force, which_take } },
  { "download", "save the video of a completed task", { "id" },
    { recording, common }, { output, force, which_take } },
  { "pending", "list the open orders of a ledger", {}, { keeping, common },
    { every_order }, default_ledger = true },
  { "resume", "wait for all open orders of a ledger and save their videos", {},
    { keeping, waiting, common }, { folder, force, also_missing },
    default_ledger = true },
  { "adopt", "record the task that an order of unknown outcome became",
    { "order", "id" }, { keeping, common }, { which_take },
    default_ledger = true },
  { "dismiss", "give an order up; nothing is ordered as its take any more",
    { "order" }, { keeping, common }, { which_take, give_up },
    default_ledger = true },
  { "label", "record the account of an order that has none, and of all takes"
    .. " of its key", { "order", "label" }, { keeping, common },
    { which_take }, default_ledger = true },
  { "batch", "order a list of videos, wait for them, save them; the same list"
    .. " again goes on", { "manifest" }, { batching, keeping, pricing,
    waiting_for_all, common }, { folder_of_all, force },
    default_ledger = "makes" },
  { "work", "send the orders of a queue, wait for them, save their videos; on as"
    .. " many machines as you like", {}, { working, keeping, waiting_for_all,
    common }, { folder_of_all, force }, default_ledger = true },
  { "status", "what a ledger holds: orders, spend, limits, workers, and why its"
    .. " queue stopped", {}, { keeping, common }, {}, default_ledger = "reads" },
  { "orders", "list orders, whatever became of them", {}, { listing, keeping,
    common }, {}, default_ledger = "reads" },
  { "limits", "set limits of a ledger, and list them", {}, { limiting,
    keeping, pricing, common }, {}, default_ledger = true },
  { "archive", "drop prompts and parameters of old orders; their keys stay, so"
    .. " that nothing is bought again", {}, { archiving, keeping, common }, {},
    default_ledger = "reads" },
  { "ledger", "copy a ledger: ledger backup FILE", { "action", "file" },
    { keeping, common }, {}, default_ledger = "reads" },
  { "validate", "check an order without sending it, and price it", {}, { video,
    pricing, common }, {} },
  { "models", "list models and limits", {}, { common }, {} },
  { "sandbox", "run a stand-in for the provider on this machine; Ctrl-C ends"
    .. " it", {}, { serving }, {} },
  { "gateway", "let others order over HTTP, without the key; Ctrl-C ends it", {},
    { gating, pricing, common }, {} },
}

local function command_of(name)
  for _, row in ipairs(_M.commands) do
    if row[1] == name then
      return row
    end
  end
end

--- Whether a word names a command.
-- @param word
-- @treturn boolean
function _M.is_command(word)
  return command_of(word) ~= nil
end

-- Calls a function with each option of a command, single ones first, until it
-- returns something.
local function each_option(command, see)
  for _, group in ipairs { command[5], (table.unpack or unpack)(command[4]) } do
    for _, option in ipairs(group) do
      local found = see(option)
      if found then
        return found
      end
    end
  end
end

-- The long word of an option, and the name that argparse gives its value.
local function names_of(option)
  local long = option[1]:match "%-%-%S+"
  return long, (long:sub(3):gsub("-", "_"))
end

--- What of a command line needs a ledger.
-- @tparam table options as parsed
-- @treturn ?string such as `--key of create`; nil where nothing does
function _M.needing_ledger(options)
  local command = command_of(options.command)
  return each_option(command, function(option)
    local long, name = names_of(option)
    return option.needs_ledger and options[name]
      and long .. " of " .. command[1] or nil
  end)
end

--- The ledger of a command that is given none.
-- @tparam table options as parsed
-- @treturn boolean whether it has one: ./starvideos.db
-- @treturn boolean whether the command makes it
-- @treturn boolean whether it only reads a ledger, whatever its name
function _M.default_ledger(options)
  local default = command_of(options.command).default_ledger
  return default ~= nil, default == "makes", default == "reads"
end

--- The options of a command line that hold for the next one as well.
-- @tparam table options as parsed
-- @tparam string name of the next command, which must take them
-- @treturn table a list of `{ word, value, name }`
function _M.kept(options, name)
  local list = {}
  each_option(command_of(name), function(option)
    local long, option_name = names_of(option)
    if option.kept and options[option_name] then
      list[#list + 1] = { long, options[option_name], option_name }
    end
  end)
  return list
end

local function epilog()
  local lines = { "Exit codes:" }
  for _, row in ipairs(exit_codes.rows) do
    lines[#lines + 1] = ("  %3d  %s"):format(row[2], row[3])
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "Environment: STARVIDEOS_API_KEY, STARVIDEOS_BASE_URL,"
    .. " STARVIDEOS_LEDGER, STARVIDEOS_ACCOUNT, SSL_CERT_FILE"
  return table.concat(lines, "\n")
end

-- argparse ends the process where help is asked for; this function returns.
local function add_help(parser, asked)
  parser:add_help(false)
  parser:flag("-h --help", "show this help and end"):action(function()
    asked.text = parser:get_help()
    error("help", 0)
  end)
end

-- A variable of the shell that is not set becomes an empty word.
local function not_blank(word)
  return function(text)
    if text:find "%S" then
      return text
    end
    return nil, word .. " is empty; nothing was sent: is a variable of the"
      .. " shell not set?"
  end
end

local function add_option(parser, row)
  local words, description, argument, count = row[1], row[2], row[3], row[4]
  if not argument then
    parser:flag(words, description)
    return
  end
  local option = parser:option(words, description):argname(argument)
    :convert(not_blank((names_of(row))))
  if count then
    option:count(count)
  end
end

local function add_command(parser, row, asked)
  -- Not by its own name, which an option may have as well.
  local command = parser:command(row[1], row[2]):target(row[1] .. " is called")
  add_help(command, asked)
  for _, name in ipairs(row[3]) do
    command:argument(name, meaning[name]):convert(not_blank(name:upper()))
  end
  each_option(row, function(option)
    add_option(command, option)
  end)
end

local function load_argparse()
  local found, argparse = pcall(require, "argparse")
  if found then
    return argparse
  elseif tostring(argparse):find("interrupted!", 1, true) then
    error("interrupted!", 0)
  end
  return nil, "the command line needs the Lua module argparse: luarocks install"
    .. " argparse, or Debian's package lua-argparse"
end

--- Read a command line.
-- @tparam table arguments a list of words
-- @tparam string version
-- @treturn ?table options, with `command`; nil where the line is wrong
-- @treturn ?string what is wrong, or the text asked for
-- @treturn ?boolean whether that text was asked for
function _M.parse(arguments, version)
  local argparse, missing = load_argparse()
  if not argparse then
    return nil, missing
  end
  local asked = {}
  local parser = argparse("starvideos", "Order AI videos, wait for them, save"
    .. " them.", epilog())
  add_help(parser, asked)
  parser:flag("--version", "show the version and end"):action(function()
    asked.text = "starvideos " .. version
    error("version", 0)
  end)
  parser:command_target "command"
  parser:help_max_width(79)
  parser:help_description_margin(32)
  for _, row in ipairs(_M.commands) do
    add_command(parser, row, asked)
  end
  local called, understood, result = pcall(parser.pparse, parser, arguments)
  if asked.text then
    return nil, asked.text, true
  elseif not called then
    error(understood, 0)
  elseif not understood then
    return nil, result
  end
  return result
end

return _M
