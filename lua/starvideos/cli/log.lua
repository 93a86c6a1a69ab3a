--- A log of events: a line of JSON for each. The file is opened for each line, and
-- the line written as a whole to its end, so that several processes may write to
-- one file, and a log that was moved away is begun again. A log that cannot be
-- written is told once; the job goes on.
-- @module starvideos.cli.log

local core = require "starvideos.core"
local events = require "starvideos.events"
local files = require "starvideos.base.file"
local json = require "starvideos.base.json"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- Nobody measures anything more finely.
local MICRO = 1e6

-- What a listener raised, or a path, may hold any bytes; a number none that JSON
-- knows.
local function encoded(value)
  if type(value) == "string" then
    value = utf8.valid(value)
  elseif type(value) == "number" and value % 1 ~= 0 then
    value = math.floor(value * MICRO + 0.5) / MICRO
  end
  local ok, text = pcall(json.encode, value)
  return ok and text or "null"
end

--- An event as a line of a log: a JSON object, `at` and `name` first, and then
-- the fields in the order of `starvideos.events`.
-- @tparam table event
-- @treturn string without the end of the line
function _M.line(event)
  local items = { '"at":' .. encoded(event.at),
    '"name":' .. encoded(event.name) }
  for _, field in ipairs(events.fields(event.name)) do
    local value = event[field[1]]
    if value ~= nil and field[1] ~= "at" then
      items[#items + 1] = ('"%s":%s'):format(field[1], encoded(value))
    end
  end
  return utf8.shown("{" .. table.concat(items, ",") .. "}")
end

-- Without a buffer every write is one of the system's.
local function open(path)
  local file, problem = files.open(path, "ab")
  if io.type(file) then
    file:setvbuf "no"
  end
  return file, problem
end

-- A pipe ends for its reader when it is closed, so that it stays open.
local function append(self, text)
  local file, problem = self.file, nil
  if not file then
    file, problem = open(self.path)
  end
  if not file then
    return nil, problem
  end
  local written
  written, problem = file:write(text)
  if core.kind(self.path) == "other" then
    self.file = file
    return written, problem
  end
  local closed, why = file:close()
  return written and closed, problem or why
end

--- Make a log. Its file is created at once, so that one that cannot be written is
-- told before anything is ordered.
-- @tparam string path
-- @tparam function complain called with the reason the first time that the file
--   cannot be written
-- @treturn function takes an event
function _M.new(path, complain)
  local self, has_failed = { path = path }, false
  local is_cut -- a full disk may have taken the beginning of a line
  local function write(text)
    local ok, problem = append(self, is_cut and "\n" .. text or text)
    is_cut = not ok
    if not ok and not has_failed then
      has_failed = true
      complain(tostring(problem))
    end
  end
  write ""
  return function(event)
    write(_M.line(event) .. "\n")
  end
end

return _M
