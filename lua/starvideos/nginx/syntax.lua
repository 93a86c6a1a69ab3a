--- What can be written into nginx.conf or a unit of systemd and stays one value, and
-- the templates of both.
-- @module starvideos.nginx.syntax

local _M = {}

-- What ends a value even between quotes; what ends one without them.
local QUOTED, BARE = "[%c\"\\$]", "[%s'{}#%%]"

--- Whether a value can be written there.
-- @tparam string value
-- @tparam[opt=false] boolean is_word whether it stands without quotes; all in a unit
--   does
-- @treturn boolean false where a character would end it, or be read as something else: a
--   variable, a specifier (`%n`) or a place of a Lua search path (`;`, `?`)
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

--- Fill a template. A line with the place `@name@` of a value that is missing is left
-- out; a list makes a line of each of its items; `@name?@` asks for a value, and shows
-- none.
-- @tparam string template whole lines
-- @tparam table values by name: strings, numbers, lists of them, true; a false one is
--   missing
-- @treturn string
-- @raise for a value that would not stay one
function _M.fill(template, values)
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
