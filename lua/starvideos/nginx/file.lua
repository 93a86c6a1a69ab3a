-- Whole files, and the templates of what nginx and systemd read.

local _M = {}

-- Is there a file that can be read?
function _M.exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close() and true
end

-- The content of a file. Returns empty where there is no such file.
function _M.read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return text
end

-- The content of a file of the library that lies beside the one that asks.
function _M.beside(name)
  local source = debug.getinfo(2, "S").source:gsub("^@", "")
  local file = assert(io.open(source:gsub("[^/\\]*$", "") .. name, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- Write a file, or replace it. Returns true, or nil, and what is wrong.
function _M.write(path, text)
  local file, why = io.open(path, "wb")
  if not file then
    return nil, why
  end
  local written, trouble = file:write(text)
  local closed, late = file:close()
  if written and closed then
    return true
  end
  return nil, trouble or late
end

-- What ends a value even between quotes; what ends one without them.
local QUOTED, BARE = "[%c\"\\$]", "[%s'{}#%%]"

-- Whether a value can be written there. `is_word`: whether it stands without quotes;
-- all in a unit does (default false). Returns false where a character would end it, or
-- be read as something else: a variable, a specifier (`%n`) or a place of a Lua search
-- path (`;`, `?`).
function _M.takes(value, is_word)
  return value ~= "" and not value:find(QUOTED) and not value:find "[;?]"
    and not (is_word and value:find(BARE))
end

-- How often a line is written.
local function times(line, values)
  local count = 1
  for name, asks in line:gmatch "@([%l_]+)(%??)@" do
    local value = values[name]
    if not value then
      return 0
    end
    count = asks == "" and type(value) == "table" and #value or count
  end
  return count
end

-- Fill a template. A line with the place `@name@` of a value that is missing is left
-- out; a list makes a line of each of its items; `@name?@` asks for a value, and shows
-- none. `values`: by name: strings, numbers, lists of them, true; a false one is
-- missing. Raises for a value that would not stay one.
function _M.fill_template(template, values)
  local lines = {}
  for line in template:gmatch "[^\n]*\n" do
    for index = 1, times(line, values) do
      lines[#lines + 1] = line:gsub("()@([%l_]+)(%??)@", function(at, name, asks)
        if asks ~= "" then
          return ""
        end
        local value = values[name]
        value = tostring(type(value) == "table" and value[index] or value)
        local _, quotes = line:sub(1, at):gsub('"', "")
        if value:find(QUOTED) or quotes % 2 == 0 and not _M.takes(value, true) then
          error(("%s cannot be written as %s"):format(value, name))
        end
        return value
      end)
    end
  end
  return table.concat(lines)
end

return _M
