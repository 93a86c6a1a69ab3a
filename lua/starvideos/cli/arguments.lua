--- The command line's words, as data, read by argparse.
-- @module starvideos.cli.arguments

local exit = require "starvideos.cli.exit_codes"

local _M = {}

-- { words, description, argument's name (none for a flag), "*" if repeatable }
local common = {
  { "--json", "errors and notes on stderr as JSON, one object a line" },
  { "-q --quiet", "no progress and no notes on stderr" },
  { "-v --verbose", "every exchange on stderr; never the key" },
  { "--base-url", "API address (default: STARVIDEOS_BASE_URL, else the"
    .. " provider's)", "URL" },
  { "--api-key-file", "file whose first line is the key (default: the"
    .. " environment's STARVIDEOS_API_KEY; no option takes the key itself,"
    .. " for others can read a program's arguments)", "FILE" },
  { "--edition", "models and limits of one documentation alone: xingchao or"
    .. " mingyan", "NAME" },
  { "--ca-file", "certificates to trust (default: SSL_CERT_FILE, else the"
    .. " system's)", "FILE" },
  { "--insecure-http", "allow http to another host than this one" },
}

local video = {
  { "-m --model", "model to use; see `starvideos models`", "NAME" },
  { "-p --prompt", "what is to be seen; - reads it from stdin", "TEXT" },
  { "--prompt-file", "file that holds the prompt", "FILE" },
  { "-d --duration", "length of the video in seconds", "SECONDS" },
  { "--ratio", "such as 16:9 (default: the model's own)", "W:H" },
  { "--resolution", "such as 720p (default: the model's own)", "NAME" },
  { "--first-image", "URL of the first frame; needs --last-image", "URL" },
  { "--last-image", "URL of the last frame; needs --first-image", "URL" },
  { "--reference-image", "URL of an image to go by; may be repeated", "URL",
    "*" },
  { "--reference-video", "URL of a video to go by; may be repeated", "URL",
    "*" },
  { "--reference-audio", "URL of a sound to go by; may be repeated", "URL",
    "*" },
  { "--param", "any further field; the value as JSON, else as text; may be"
    .. " repeated", "NAME=VALUE", "*" },
  { "--params", "file with all fields as a JSON object; - is stdin", "FILE" },
  { "--validation", "strict (default), advisory or off", "MODE" },
}

local recording = {
  { "--ledger", "where orders are written down, so that none is lost or placed"
    .. " twice: a file, or a postgres:// URL, whose password is better left to"
    .. " the environment (default: STARVIDEOS_LEDGER, else nowhere)", "FILE" },
  { "--account", "a name of your own for the account that the key is of, for a"
    .. " ledger that several accounts share (default: STARVIDEOS_ACCOUNT, else"
    .. " none)", "NAME" },
}

local naming = {
  { "--key", "a name of your own for this order (needs a ledger; default: the"
    .. " file's path); the same key again orders nothing and gives the same"
    .. " task", "NAME" },
  { "--take", "1 by default; another take of a key is another order: for when"
    .. " the first failed, or nobody knows what became of it and you have looked"
    .. " at your account", "N" },
}

local waiting = {
  { "--timeout", "give up waiting after so many seconds (default: 1800); the"
    .. " task goes on", "SECONDS" },
  { "--interval", "seconds between polls at first (default: 30)", "SECONDS" },
  { "--max-interval", "and in the end (default: 60)", "SECONDS" },
  { "--first-poll", "seconds until the first poll (default: one interval; for"
    .. " wait and resume: 0)", "SECONDS" },
}

local output = { "-o --output", "file to save the video in", "FILE" }
local later = { "-o --output", "file that resume is to save the video in (needs"
  .. " a ledger)", "FILE" }
local folder = { "-o --output", "folder for the videos whose order named no"
  .. " file (default: this one), and for those ordered on another machine",
  "DIR" }
local also_missing = { "--missing", "also ask for tasks that the provider has not"
  .. " known for a day" }
local force = { "-f --force --overwrite", "overwrite the file" }

local which_take = { "--take", "which take of a key (default: 1)", "N" }
local every_order = { "-a --all", "also the orders about which nothing is to be"
  .. " done: saved, failed, refused, given up" }
local give_up = { "-f --force", "also one that was bought and can still be had" }

-- What positional arguments are.
local meaning = {
  id = "the task's id, which ordering printed; with a ledger also the order's"
    .. " id, key or file",
  order = "the order's id, key or file, see pending",
  label = "its account, a name of your own",
}

local serving = {
  { "--port", "port of the API (default: a free one)", "PORT" },
  { "--seconds", "from order to video (default: 5)", "SECONDS" },
  { "--queued-seconds", "of these, how many queued (default: 1)", "SECONDS" },
  { "--scenario", "fault that every request meets", "NAME[=N]" },
  { "--tls", "https, with a certificate made for the occasion" },
  { "--list-scenarios", "print the names of the faults and end" },
  { "--json", "what to use, or the faults, as JSON" },
}

--- The commands in the order of the help: name, description, positional
-- arguments, groups of options, single options.
_M.commands = {
  { "generate", "order a video, wait for it, save it", {},
    { video, naming, recording, waiting, common }, { output, force } },
  { "create", "order a video and print the task", {},
    { video, naming, recording, common }, { later } },
  { "query", "look at a task once", { "id" }, { recording, common },
    { which_take } },
  { "wait", "wait until a task ends; save the video with -o", { "id" },
    { recording, waiting, common }, { output, force, which_take } },
  { "download", "save the video of a completed task", { "id" },
    { recording, common }, { output, force, which_take } },
  { "pending", "list the open orders of a ledger", {}, { recording, common },
    { every_order } },
  { "resume", "wait for all open orders of a ledger and save their videos", {},
    { recording, waiting, common }, { folder, force, also_missing } },
  { "adopt", "say which task an order of unknown fate has become",
    { "order", "id" }, { recording, common }, { which_take } },
  { "dismiss", "give up an order; nothing is ordered as its take any more",
    { "order" }, { recording, common }, { which_take, give_up } },
  { "label", "say of which account an order is that has none, and all takes of"
    .. " its key", { "order", "label" }, { recording, common },
    { which_take } },
  { "validate", "check an order without sending it", {}, { video, common },
    {} },
  { "models", "list models and limits", {}, { common }, {} },
  { "sandbox", "run a provider on this machine to develop against; Ctrl-C"
    .. " ends it", {}, { serving }, {} },
}

--- Whether a word names a command.
-- @param word
-- @treturn boolean
function _M.is_command(word)
  for _, row in ipairs(_M.commands) do
    if row[1] == word then
      return true
    end
  end
  return false
end

local function epilog()
  local lines = { "Exit codes:" }
  for _, row in ipairs(exit.meaning) do
    lines[#lines + 1] = ("  %3d  %s"):format(row[1], row[2])
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "Environment: STARVIDEOS_API_KEY, STARVIDEOS_BASE_URL,"
    .. " STARVIDEOS_LEDGER, STARVIDEOS_ACCOUNT, SSL_CERT_FILE"
  return table.concat(lines, "\n")
end

-- argparse ends the process where help is asked for; this program returns.
local function add_help(parser, asked)
  parser:add_help(false)
  parser:flag("-h --help", "show this help and end"):action(function()
    asked.text = parser:get_help()
    error("help", 0)
  end)
end

-- What a shell makes of a variable that is not set stands for nothing.
local function not_blank(word)
  return function(text)
    if text:find "%S" then
      return text
    end
    return nil, word .. " is empty: is a variable of the shell not set?"
      .. " Nothing was sent"
  end
end

local function add_option(parser, row)
  local words, description, argument, count = row[1], row[2], row[3], row[4]
  if not argument then
    parser:flag(words, description)
    return
  end
  local option = parser:option(words, description):argname(argument)
    :convert(not_blank(words:match "%-%-%S+"))
  if count then
    option:count(count)
  end
end

local function add_command(parser, row, asked)
  local command = parser:command(row[1], row[2])
  add_help(command, asked)
  for _, name in ipairs(row[3]) do
    command:argument(name, meaning[name]):convert(not_blank(name:upper()))
  end
  for _, option in ipairs(row[5]) do
    add_option(command, option)
  end
  for _, group in ipairs(row[4]) do
    for _, option in ipairs(group) do
      add_option(command, option)
    end
  end
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
