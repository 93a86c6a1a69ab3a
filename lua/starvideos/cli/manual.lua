-- The manual page starvideos(1), and what completes commands, options and their values
-- in bash, zsh and fish: both made of what the command line reads.

local arguments = require "starvideos.cli.arguments"
local c_locale = require "starvideos.base.c_locale"
local declarations = require "starvideos.cli.declarations"
local failure = require "starvideos.cli.failure"
local starvideos = require "starvideos"

local _M = {}

-- Columns of the page's own text, whose lines roff fills.
local WIDTH = 70

local function filled(text)
  local lines, line = {}, nil
  for word in text:gmatch "%S+" do
    if line and #line + 1 + #word > WIDTH then
      lines[#lines + 1], line = line, nil
    end
    line = line and line .. " " .. word or word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- Text as roff takes it: a - is one that can be copied, and no line is a command.
local function roff(text)
  return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("^([.'])", "\\&%1")
    :gsub("\n([.'])", "\n\\&%1"))
end

local function add(lines, text, ...)
  lines[#lines + 1] = select("#", ...) > 0 and text:format(...) or text
end

local function add_item(lines, label, text)
  add(lines, ".TP\n%s\n%s", label, roff(filled(text)))
end

-- `-o, --output FILE`, the words bold and the value in italics.
local function label_of(option)
  local words = {}
  for word in option[1]:gmatch "%S+" do
    words[#words + 1] = "\\fB" .. roff(word) .. "\\fR"
  end
  return table.concat(words, ", ") .. (option[3]
    and " \\fI" .. roff(option[3]) .. "\\fR" or "")
end

local function add_options(lines, options)
  for _, option in ipairs(options) do
    add_item(lines, label_of(option), arguments.description(option))
  end
end

local shared = {}
for _, group in ipairs(declarations.shared) do
  shared[group] = true
end

local function add_command(lines, row)
  local also = {}
  add_item(lines, "\\fB" .. roff(arguments.usage(row)) .. "\\fR", row[2]:gsub(
    "^%l", c_locale.upper) .. ".")
  if not row[3][1] and not row[4][1] then
    return
  end
  add(lines, ".RS")
  for _, name in ipairs(row[3]) do
    add_item(lines, "\\fI" .. c_locale.upper(name) .. "\\fR",
      declarations.arguments[name][1])
  end
  add_options(lines, row[5])
  for _, group in ipairs(row[4]) do
    if shared[group] then
      also[#also + 1] = group.title
    else
      add_options(lines, group)
    end
  end
  if also[1] then
    add(lines, ".PP\nAlso: %s.", roff(filled(table.concat(also, "; "))))
  end
  add(lines, ".RE")
end

local function add_commands(lines)
  add(lines, ".SH COMMANDS")
  for group, title in ipairs(declarations.groups) do
    add(lines, ".SS %s", roff(title))
    for _, row in ipairs(declarations.commands) do
      if row.group == group then
        add_command(lines, row)
      end
    end
  end
end

local function add_shared(lines)
  add(lines, ".SH OPTIONS\nEach command takes \\fB\\-h\\fR, \\fB\\-\\-help\\fR."
    .. "\nThese groups belong to several commands, which name them.")
  for _, group in ipairs(declarations.shared) do
    add(lines, ".SS %s", roff(group.title))
    add_options(lines, group)
  end
end

local function add_table(lines, title, rows, label)
  add(lines, ".SH %s", title)
  for _, row in ipairs(rows) do
    add_item(lines, label(row), row[#row])
  end
end

local function bold(row)
  return "\\fB" .. roff(row[1]) .. "\\fR"
end

local function add_examples(lines)
  add(lines, ".SH EXAMPLES")
  for _, row in ipairs(declarations.commands) do
    for _, example in ipairs(row.examples) do
      local before = lines[#lines] == ".SH EXAMPLES" and "" or ".PP\n"
      add(lines, before .. "%s:\n.PP\n.nf\n.RS 4\n%s\n.RE\n.fi",
        roff((example[2]:gsub("^%l", c_locale.upper))), roff(example[1]))
    end
  end
end

local ABOUT = [[
Each order of a video costs money, takes minutes and gives a link that expires.
\fBstarvideos\fR checks an order before it is sent, sends it once, waits for it
and saves the video.
With a ledger (\fB\-\-ledger\fR) every order is on disk before it is sent,
so that none is lost or bought twice: repeat the same command after a crash.
.PP
The result is on the standard output: a table on a terminal, else JSON with its
fields sorted by name; \fB\-\-json\fR forces JSON.
Progress and messages are on the standard error.]]

-- The page.
function _M.text()
  local lines = {}
  add(lines, '.TH STARVIDEOS 1 "%s" "starvideos %s" "User Commands"',
    os.date("!%Y-%m-%d", tonumber(os.getenv "SOURCE_DATE_EPOCH") or nil),
    starvideos._VERSION)
  add(lines, ".SH NAME\nstarvideos \\- order AI videos, wait for them, save them")
  add(lines, ".SH SYNOPSIS\n\\fBstarvideos\\fR \\fIcommand\\fR [options]"
    .. "\n.br\n\\fBstarvideos\\fR \\fB\\-\\-help\\fR | \\fB\\-\\-version\\fR")
  add(lines, ".SH DESCRIPTION\n" .. ABOUT)
  add_commands(lines)
  add_shared(lines)
  add_table(lines, "EXIT STATUS", failure.rows, function(row)
    return tostring(row[2])
  end)
  add_table(lines, "ENVIRONMENT", declarations.environment, bold)
  add_table(lines, "FILES", declarations.files, bold)
  add_examples(lines)
  return table.concat(lines, "\n")
end

-- A menu has room for a clause, not for all that help says.
local function clause(text)
  return (text:gsub("[;:] .*", ""))
end

-- zsh takes a : in a word to choose for the beginning of its description.
local function escaped(shell, choices)
  local list = {}
  for index, word in ipairs(choices) do
    list[index] = shell == "zsh" and word:gsub(":", "\\:") or word
  end
  return list
end

-- Read by `source`, zsh registers the completions; called for a word, it completes.
local ZSH_END = [[

if [ "$funcstack[1]" = "_starvideos" ]; then
  _starvideos "$@"
else
  compdef _starvideos starvideos
fi
]]

-- What completes commands, options and their values, as argparse makes it. `shell`:
-- bash, zsh or fish.
function _M.completion(shell)
  local parser = assert(arguments.parser { asked = {}, width = 80,
    version = tostring, see = function(element, about)
      local is_option = type(about[2]) == "string"
      local choices = arguments.choices(about)
      element:description(clause(about[is_option and 2 or 1]))
      if choices then
        element:choices(escaped(shell, choices))
      end
    end })
  local script = parser["get_" .. shell .. "_complete"](parser)
  return shell == "zsh" and script:gsub("\n_starvideos\n$", ZSH_END) or script
end

return _M
