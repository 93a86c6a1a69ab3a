--- Where results, notes and progress go: JSON on stdout, the rest on stderr.
-- @module starvideos.cli.console

local c_locale = require "starvideos.c_locale"
local events = require "starvideos.events"
local json = require "starvideos.json"
local records = require "starvideos.cli.records"
local screens = require "starvideos.cli.screen"

local Console = {}
Console.__index = Console

local BAR_CELLS, FEWEST_CELLS = 20, 5
local USUAL_WIDTH, USUAL_HEIGHT = 80, 24

--- Seconds as people read them.
-- @tparam number seconds
-- @treturn string such as 1:05
local function clock_text(seconds)
  return ("%d:%02d"):format(math.floor(seconds / 60),
    math.floor(seconds % 60))
end

local function bar(share, cells)
  local filled = math.floor(share * cells + 0.5)
  return "[" .. ("#"):rep(filled) .. ("."):rep(cells - filled) .. "]"
end

-- What is known of the parts, in one line.
local function together(gap, ...)
  local parts = {}
  for index = 1, select("#", ...) do
    parts[#parts + 1] = select(index, ...) or nil
  end
  return table.concat(parts, gap)
end

-- As much of a text as fits, without cutting a character of several bytes.
local function cut(text, room)
  while text:find("^[\128-\191]", room + 1) do
    room = room - 1
  end
  return text:sub(1, room)
end

--- One line of progress that fits the terminal and leaves its last column
-- free. A narrow terminal loses the bar, then the time.
-- @tparam string what such as a status
-- @tparam ?number share from 0 to 1, where it is known
-- @tparam ?number elapsed seconds
-- @tparam number width columns
-- @treturn string
local function progress_line(what, share, elapsed, width)
  local room = math.max(1, width - 1)
  share = share and math.max(0, math.min(1, share))
  local percent = share and math.floor(share * 100 + 0.5) .. "%"
  local aligned = percent and ("%4s"):format(percent)
  local time = elapsed and clock_text(elapsed)
  local cells = math.min(BAR_CELLS,
    room - #together("  ", what, aligned, "[]", time))
  local drawn = share and cells >= FEWEST_CELLS and bar(share, cells)
  local forms = { together("  ", what, aligned, drawn, time),
    together(" ", what, percent, time), together(" ", what, percent) }
  for _, form in ipairs(forms) do
    if #form <= room then
      return form
    end
  end
  return cut(what, room)
end

-- Blanks that cover the rest of the line drawn before. The window may have become
-- narrower: none of them may wrap to the next line.
function Console:blanks(width, length)
  return (" "):rep(math.min(#self.drawn, width - 1) - length)
end

--- Show progress: redrawn in place on a terminal, else a line when `what`
-- has changed.
-- @tparam string what
-- @tparam ?number share from 0 to 1
-- @tparam ?number elapsed seconds
function Console:progress(what, share, elapsed)
  if self.quiet or self.json then
    return
  elseif self.terminal then
    local width = self.size() or USUAL_WIDTH
    local text = progress_line(what:gsub("%c", "?"), share, elapsed, width)
    self.stderr:write("\r", text, self:blanks(width, #text))
    self.stderr:flush()
    self.drawn = text
  elseif what ~= self.last_told then
    self.stderr:write(what, "\n")
    self.last_told = what
  end
end

--- Show several lines of progress, redrawn in place, on a terminal.
-- @tparam function lines_for gets columns and rows, and returns a list of lines
function Console:show(lines_for)
  if self.terminal and not self.quiet and not self.json then
    local columns, rows = self.size()
    self.screen:draw(lines_for(columns or USUAL_WIDTH, rows or USUAL_HEIGHT))
  end
end

--- Erase what shows progress.
function Console:clear()
  self.screen:erase()
  if self.drawn ~= "" then
    local width = self.size() or USUAL_WIDTH
    self.stderr:write("\r", self:blanks(width, 0), "\r")
    self.drawn = ""
  end
end

--- A note for people, or with --json an object for programs.
-- @tparam string text
-- @tparam table object
function Console:note(text, object)
  if self.quiet then
    return
  end
  self:clear()
  self.stderr:write(self.json and json.encode(object) or text, "\n")
  self.stderr:flush()
end

--- The warnings of a call, a note each.
-- @tparam ?table warnings
function Console:warn(warnings)
  for _, warning in ipairs(type(warnings) == "table" and warnings or {}) do
    self:note("warning: " .. warning.message, { warning = warning })
  end
end

-- An event for people: each of its fields in the order of the table.
local function event_text(event)
  local words = {}
  for _, field in ipairs(events.fields(event.name)) do
    local value = event[field[1]]
    words[#words + 1] = value ~= nil and field[1] ~= "at"
      and field[1] .. "=" .. tostring(value) or nil
  end
  return event.name .. ": " .. table.concat(words, " ")
end

--- A line that --verbose asks for.
-- @tparam table event
function Console:event(event)
  self:clear()
  if self.json then
    self.stderr:write(json.encode { event = event }, "\n")
    return
  elseif not event.method then
    self.stderr:write(event.failure and event.name .. ": " .. event.failure
      or event_text(event), "\n")
    return
  end
  self.stderr:write(("%s %s %s%s\n"):format(tostring(event.method),
    tostring(event.url), tostring(event.status or event.failure),
    event.elapsed and " " .. c_locale.number("%.3f", event.elapsed) .. " s" or ""))
end

--- The result, on stdout.
-- @tparam string text
-- @treturn boolean whether it was written whole
-- @treturn ?string why not
function Console:result(text)
  self:clear()
  local written, problem = self.stdout:write(text, "\n")
  if written then
    written, problem = self.stdout:flush()
  end
  return written and true or false, problem
end

-- A violation of one order among many names its line, and its field where the
-- message does not.
local function violation_text(violation)
  local field, message = violation.field, violation.message
  if field and message:sub(1, #field) ~= field then
    message = field .. ": " .. message
  end
  local place = violation.line and "line " .. violation.line
    or violation.index and "order " .. violation.index
  return place and place .. ": " .. message or message
end

-- Violations beside an order are about its key.
local function heading(err)
  local first = err.violations[1] or {}
  if first.line or first.index then
    local count = #err.violations
    return ("the list has %d fault%s; nothing was ordered"):format(count,
      count == 1 and "" or "s")
  end
  return err.order and "the key is taken; nothing was sent"
    or "the order breaks documented limits; nothing was sent"
end

--- An error, as a sentence with a line for each violation, or as JSON.
-- @tparam table err where it is `plain`, its message alone is told
-- @tparam ?table advice lines: how to go on
-- @tparam ?string subject the order it happened to, where that is one of many
function Console:failure(err, advice, subject)
  self:clear()
  if self.json then
    self.stderr:write('{"error":', records.text("error", records.error(err)),
      subject and ',"order":' .. json.encode(subject) or "", "}\n")
    return
  end
  local before = "starvideos: " .. (subject and subject .. ": " or "")
  if err.violations then
    self.stderr:write(before, heading(err), "\n")
    for _, violation in ipairs(err.violations) do
      self.stderr:write("  ", violation_text(violation), "\n")
    end
  else
    self.stderr:write(before, err.plain and err.message or tostring(err), "\n")
  end
  for _, line in ipairs(advice or {}) do
    self.stderr:write(line, "\n")
  end
end

local _M = { progress_line = progress_line, clock_text = clock_text, bar = bar }

--- Make a console.
-- @tparam table env `stdout`, `stderr`, `terminal`, `size` and `getenv` (functions)
-- @tparam table options `json`, `quiet`
-- @treturn table console
function _M.new(env, options)
  return setmetatable({
    stdout = env.stdout,
    stderr = env.stderr,
    terminal = env.terminal() and env.getenv "TERM" ~= "dumb",
    size = env.size,
    json = options.json,
    quiet = options.quiet,
    drawn = "",
    screen = screens.new(env.stderr),
  }, Console)
end

return _M
