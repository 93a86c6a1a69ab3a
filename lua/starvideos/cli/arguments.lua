-- Reads a command line, as `starvideos.cli.declarations` says what it may hold.

local c_locale = require "starvideos.base.c_locale"
local declarations = require "starvideos.cli.declarations"
local failure = require "starvideos.cli.failure"

local _M = {}

-- How many letters are added, left out, changed or exchanged with their neighbour
-- between two words.
local function distance(one, other)
  local rows = { [0] = {} }
  for column = 0, #other do
    rows[0][column] = column
  end
  for row = 1, #one do
    rows[row] = { [0] = row }
    for column = 1, #other do
      local same = one:byte(row) == other:byte(column)
      local least = math.min(rows[row - 1][column] + 1, rows[row][column - 1] + 1,
        rows[row - 1][column - 1] + (same and 0 or 1))
      if row > 1 and column > 1 and one:byte(row) == other:byte(column - 1)
        and one:byte(row - 1) == other:byte(column) then
        least = math.min(least, rows[row - 2][column - 2] + 1)
      end
      rows[row][column] = least
    end
  end
  return rows[#one][#other]
end

-- The nearest of some words. Returns nil where none is near: a third of its letters may
-- differ, or it goes on where the wrong one ends.
function _M.suggestion(wrong, words)
  local best, fewest
  for _, word in ipairs(words) do
    local letters = #word:gsub("^%-+", "")
    local faults = distance(wrong:sub(1, 40), word)
    if #wrong >= 3 and word:sub(1, #wrong) == wrong then
      faults = 0.5
    end
    if faults <= math.max(1, letters / 3) and (not fewest or faults < fewest) then
      best, fewest = word, faults
    end
  end
  return best
end

--- The commands, see `starvideos.cli.declarations`.
_M.commands = declarations.commands

-- Columns of help where no terminal says how many it has, and at most: longer
-- lines are hard to read.
local USUAL_WIDTH, MOST_WIDTH = 80, 120

local function command_of(name)
  for _, row in ipairs(_M.commands) do
    if row[1] == name then
      return row
    end
  end
end

-- Whether a word names a command.
function _M.is_command(word)
  return command_of(word) ~= nil
end

-- The groups of a command's options, the one of its own first.
local function groups_of(command)
  local list = {}
  if command[5][1] then
    list[1] = { title = "Options", (table.unpack or unpack)(command[5]) }
  end
  for _, group in ipairs(command[4]) do
    list[#list + 1] = group
  end
  return list
end

-- Calls a function with each option of a command, single ones first, until it returns
-- something. `see`: gets an option and the title of its group. Returns what it
-- returned.
function _M.each_option(command, see)
  for _, group in ipairs(groups_of(command)) do
    for _, option in ipairs(group) do
      local found = see(option, group.title)
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

-- What of a command line needs a ledger. Returns such as `--key of create`; nil where
-- nothing does.
function _M.needing_ledger(options)
  local command = command_of(options.command)
  return _M.each_option(command, function(option)
    local long, name = names_of(option)
    return option.needs_ledger and options[name]
      and long .. " of " .. command[1] or nil
  end)
end

-- The ledger of a command that is given none. Returns whether it has one:
-- ./starvideos.db, and whether the command makes it, and whether it only reads a
-- ledger, whatever its name.
function _M.default_ledger(options)
  local default = command_of(options.command).default_ledger
  return default ~= nil, default == "makes", default == "reads"
end

-- The options of a command line that hold for the next one as well. `name`: of the next
-- command, which must take them. Returns a list of `{ word, value, name }`.
function _M.kept(options, name)
  local list = {}
  _M.each_option(command_of(name), function(option)
    local long, option_name = names_of(option)
    if option.kept and options[option_name] then
      list[#list + 1] = { long, options[option_name], option_name }
    end
  end)
  return list
end

-- What may be chosen as the value of an option or argument. Returns a list of words.
function _M.choices(row)
  local choices = row.choices
  return type(choices) == "function" and choices() or choices or nil
end

-- What help says of an option: with its choices, and whether it must be given.
function _M.description(option)
  local choices = not option.unlisted and _M.choices(option)
  return option[2] .. (choices and #choices > 1
    and (": one of %s"):format(table.concat(choices, ", ")) or "")
    .. (option.required and " (required)" or "")
    .. (option.default and (" (default: %s)"):format(option.default) or "")
end

-- How a command is called, in one line.
function _M.usage(command)
  local words = { "starvideos", command[1] }
  for _, name in ipairs(command[3]) do
    words[#words + 1] = c_locale.upper(name)
  end
  local has_options
  _M.each_option(command, function(option)
    has_options = true
    words[#words + 1] = option.required
      and option[1]:match "^%S+" .. " " .. option[3] or nil
  end)
  words[#words + 1] = has_options and "[options]" or nil
  return table.concat(words, " ")
end

local function epilog()
  local lines = { "starvideos COMMAND --help shows a command's options and an"
    .. " example.", "", "Exit codes:" }
  for _, row in ipairs(failure.rows) do
    lines[#lines + 1] = ("  %3d  %s"):format(row[2], row[3])
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "Environment:"
  for _, row in ipairs(declarations.environment) do
    lines[#lines + 1] = ("  %s: %s"):format(row[1], row[2])
  end
  return table.concat(lines, "\n")
end

local function examples(command)
  local lines = { #command.examples > 1 and "Examples:" or "Example:" }
  for _, example in ipairs(command.examples) do
    lines[#lines + 1] = "  " .. example[1]
    lines[#lines + 1] = "      " .. example[2]
  end
  return table.concat(lines, "\n")
end

-- argparse ends the process where help is asked for; this function returns.
local function add_help(parser, asked)
  parser:add_help(false)
  return parser:flag("-h --help", "show this help and end"):action(function()
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
  local words, argument, count = row[1], row[3], row[4]
  if not argument then
    return parser:flag(words, _M.description(row))
  end
  local option = parser:option(words, _M.description(row)):argname(argument)
    :convert(not_blank((names_of(row))))
  if count then
    option:count(count)
  end
  -- In one line; argparse has one for each word.
  local label = words:gsub(" ", ", ") .. " " .. argument
  option._get_label_lines = function() return { label } end
  return option
end

-- Calls a function with each element of a parser and the row it was made of.
local function add_elements(parser, row, see)
  for _, name in ipairs(row[3]) do
    local about = declarations.arguments[name]
    see(parser:argument(name, about[1]):convert(not_blank(c_locale.upper(name))), about)
  end
  for _, group in ipairs(groups_of(row)) do
    local options = {}
    for index, option in ipairs(group) do
      options[index] = add_option(parser, option)
      see(options[index], option)
    end
    parser:group(group.title, (table.unpack or unpack)(options))
  end
end

local function add_command(parser, row, given)
  -- Not by its own name, which an option may have as well.
  local command = parser:command(row[1], row[2]):target(row[1] .. " is called")
  if not given.only or given.only == row[1] then
    add_elements(command, row, given.see)
  end
  add_help(command, given.asked)
  command:usage("Usage: " .. _M.usage(row))
  command:epilog(examples(row))
  command:help_description_margin(given.width < 70 and 8 or 32)
  return command
end

local function add_commands(parser, given)
  local groups = {}
  for index in ipairs(declarations.groups) do
    groups[index] = {}
  end
  for _, row in ipairs(_M.commands) do
    table.insert(groups[row.group], (add_command(parser, row, given)))
  end
  for index, title in ipairs(declarations.groups) do
    parser:group(title, (table.unpack or unpack)(groups[index]))
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

-- Make the parser. `given`: `asked` (gets the `text` of help or of the version),
-- `version` (a function that returns it), `width` (columns), `see` (a function that is
-- called with each option and argument, and the row it was made of), `only` (the one
-- command that has its options and arguments; none: all have them). Returns parser of
-- argparse, and what is missing.
function _M.parser(given)
  local argparse, missing = load_argparse()
  if not argparse then
    return nil, missing
  end
  local parser = argparse("starvideos", "Order AI videos, wait for them, save"
    .. " them.", epilog()):usage "Usage: starvideos COMMAND [options]"
  parser:help_max_width(given.width)
  parser:help_description_margin(15)
  parser:command_target "command"
  add_help(parser, given.asked)
  parser:flag("--version", "show versions and end"):action(function()
    given.asked.text = given.version()
    error("version", 0)
  end)
  add_commands(parser, given)
  return parser
end

-- The words that are possible where one is not known.
local function known_words(words)
  local command, list = command_of(words[1]), { "--help" }
  if not command then
    list[2] = "--version"
    for _, row in ipairs(_M.commands) do
      list[#list + 1] = row[1]
    end
    return list
  end
  _M.each_option(command, function(option)
    for word in option[1]:gmatch "%-%-%S+" do
      list[#list + 1] = word
    end
  end)
  return list
end

-- argparse has a suggestion of its own, of words that differ by a letter.
local function explained(problem, words)
  problem = problem:match "^[^\n]*"
  local wrong = problem:match "^unknown %l+ '(.*)'$"
  local nearest = wrong and _M.suggestion(wrong, known_words(words))
  return problem .. (nearest and "; did you mean " .. nearest .. "?" or "")
end

-- Read a command line. `arguments`: a list of words. `version`: returns what --version
-- shows. `columns`: of the terminal that help is for. Returns options, with `command`;
-- nil where the line is wrong, and what is wrong, or the text asked for, and whether
-- that text was asked for.
function _M.parse(arguments, version, columns)
  local asked = {}
  local parser, missing = _M.parser { asked = asked, version = version,
    width = math.min(columns or USUAL_WIDTH, MOST_WIDTH), see = function() end,
    only = _M.is_command(arguments[1]) and arguments[1] }
  if not parser then
    return nil, missing
  end
  local called, understood, result = pcall(parser.pparse, parser, arguments)
  if asked.text then
    return nil, asked.text, true
  elseif not called then
    error(understood, 0)
  elseif not understood then
    return nil, explained(result, arguments)
  end
  return result
end

return _M
