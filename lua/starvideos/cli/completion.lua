--- What completes commands, options and their values in bash, zsh and fish: made by
-- argparse, with what it leaves out or gets wrong put right. It takes every value
-- for a file's name; in bash and fish it does not know the choices of arguments;
-- bash has split words at : and =; zsh takes a : in a choice for the beginning of
-- its description.
-- @module starvideos.cli.completion

local arguments = require "starvideos.cli.arguments"
local declarations = require "starvideos.cli.declarations"

local _M = {}

-- What argparse gets for a choice where there is none to name, and what each shell
-- has in its place: a file, a folder, or whatever a person types.
local FILE, FOLDER, ANYTHING = "__FILE__", "__FOLDER__", "__ANYTHING__"
local stands_for = { file = FILE, folder = FOLDER }

local function replaced(script, old, new)
  return (script:gsub(old:gsub("%p", "%%%0"), (new:gsub("%%", "%%%%"))))
end

local function compgen(words)
  return ('COMPREPLY=($(compgen -W "%s" -- "$cur"))'):format(words)
end

-- bash itself completes files, where nothing else is found.
local NOTHING_ELSE = "compopt +o default +o bashdefault"

-- Puts together again what bash has split, and takes from the answers what it
-- leaves in the line.
local BASH_END = [=[

_starvideos_words() {
    local -a words=()
    local i word
    for (( i = 0; i <= COMP_CWORD; i++ )); do
        word="${COMP_WORDS[i]}"
        if (( i > 0 )) && [[ "$word" = : ]]; then
            words[-1]+=:
        elif [[ "$word" != = ]] || (( i == COMP_CWORD )); then
            words+=("${word#=}")
        fi
    done
    local cur="${words[-1]}"
    local COMP_WORDS=("${words[@]}") COMP_CWORD=$(( ${#words[@]} - 1 ))
    _starvideos "$@"
    local kept="${cur%"${cur##*:}"}"
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]="${COMPREPLY[i]#"$kept"}"
    done
}

complete -F _starvideos_words -o bashdefault -o default starvideos
]=]

-- The commands whose first argument has choices, and those without arguments.
local function bash_arguments()
  local lines, without = {}, {}
  for _, row in ipairs(declarations.commands) do
    local choices = row[3][1] and declarations.arguments[row[3][1]].choices
    if choices then
      lines[#lines + 1] = ('    if [[ "$cmd" = %s && "$prev" = %s ]]; then\n'
        .. "        %s\n        %s\n    fi\n"):format(row[1], row[1],
        compgen(table.concat(choices, " ")), NOTHING_ELSE)
    end
    without[#without + 1] = not row[3][1] and row[1] or nil
  end
  lines[#lines + 1] = ('    case "$cmd" in\n        %s) %s ;;\n    esac\n'):format(
    table.concat(without, "|"), NOTHING_ELSE)
  return table.concat(lines)
end

local makers = {}

function makers.bash(parser)
  local script = parser:get_bash_complete()
  script = replaced(script, compgen(FILE), "COMPREPLY=()")
  script = replaced(script, compgen(FOLDER),
    "COMPREPLY=(); compopt -o dirnames " .. NOTHING_ELSE:match "%+.*")
  script = replaced(script, compgen(ANYTHING), "COMPREPLY=(); "
    .. NOTHING_ELSE)
  script = replaced(script, '    if [[ "$cur" = -* ]]; then\n',
    bash_arguments() .. '    if [[ "$cur" = -* ]]; then\n')
  return script:gsub("\ncomplete %-F [^\n]*\n", "") .. BASH_END
end

-- Read by `source`, zsh registers it; called for a word, it completes.
local ZSH_END = [[

if [ "$funcstack[1]" = "_starvideos" ]; then
  _starvideos "$@"
else
  compdef _starvideos starvideos
fi
]]

function makers.zsh(parser)
  local script = parser:get_zsh_complete()
  script = replaced(script, (": :(%s)"):format(FILE), ":file:_files")
  script = replaced(script, (": :(%s)"):format(FOLDER), ":folder:_files -/")
  script = replaced(script, (": :(%s)"):format(ANYTHING), ":value: ")
  -- A long option may have its value behind a =, too.
  script = script:gsub('("%*?%-%-[%w-]+)(%[[^\n]-%]:)', "%1=%2")
  script = script:gsub('({%-%w,%-%-[%w-]+)(}"%[[^\n]-%]:)', "%1=%2")
  return replaced(script, "\n\n_starvideos\n", "\n" .. ZSH_END)
end

-- The choices of arguments, and the commands that take no file.
local function fish_arguments()
  local lines = {}
  for _, row in ipairs(declarations.commands) do
    local about = row[3][1] and declarations.arguments[row[3][1]] or {}
    local words = about.choices and (" -xa '%s'"):format(table.concat(
      about.choices, " ")) or not about.values and " -f" or nil
    lines[#lines + 1] = words and ("complete -c starvideos -n"
      .. " '__fish_starvideos_seen_command %s'%s"):format(row[1], words)
  end
  return table.concat(lines, "\n") .. "\n"
end

function makers.fish(parser)
  local script = parser:get_fish_complete()
  script = replaced(script, ("-xa '%s'"):format(FILE), "-rF")
  script = replaced(script, ("-xa '%s'"):format(FOLDER),
    "-xa '(__fish_complete_directories)'")
  script = replaced(script, ("-xa '%s'"):format(ANYTHING), "-x")
  return script .. "\ncomplete -c starvideos -n '__fish_starvideos_using_command'"
    .. " -f\n" .. fish_arguments()
end

-- What zsh takes for special in a word to choose.
local function escaped(shell, choices)
  local list = {}
  for index, word in ipairs(choices) do
    list[index] = shell == "zsh" and word:gsub(":", "\\:") or word
  end
  return list
end

-- A menu has room for a clause, not for all that help says.
local function clause(text)
  return (text:gsub("[;:] .*", ""))
end

--- The script for a shell.
-- @tparam string shell
-- @treturn string script
function _M.text(shell)
  local parser = assert(arguments.parser { asked = {}, width = 80,
    version = tostring, see = function(element, about)
      local is_argument = type(about[2]) ~= "string"
      element:description(clause(is_argument and about[1] or about[2]))
      if is_argument or about[3] then
        element:choices(escaped(shell, arguments.choices(about)
          or { stands_for[about.values] or ANYTHING }))
      end
    end })
  return makers[shell](parser)
end

return _M
