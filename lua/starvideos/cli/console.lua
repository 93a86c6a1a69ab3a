-- Where results, notes and progress go: JSON on stdout, the rest on stderr. And the log
-- of events: a line of JSON for each. Its file is opened for each line, and the line
-- written as a whole to its end, so that several processes may write to one file, and a
-- log that was moved away is begun again.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local events = require "starvideos.events"
local failure = require "starvideos.cli.failure"
local files = require "starvideos.base.file"
local json = require "starvideos.base.json"
local redact = require "starvideos.base.redact"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- Lines at the end of a terminal, redrawn in place. The cursor rests at the beginning
-- of the first: a terminal that wraps lines again when its window becomes narrower
-- keeps it there, and the next drawing overwrites or erases what it made of the lines
-- below.
local Screen = {}
Screen.__index = Screen

-- A terminal may take a character for wider than it is here: then its line is cut
-- at the right, and does not wrap.
local NO_WRAP, WRAP = "\27[?7l", "\27[?7h"
local END_OF_LINE, ALL_BELOW = "\27[K", "\27[J"

-- Draw lines in place of those that are there. `lines`: each fit for the width of the
-- terminal; fewer than it has rows.
function Screen:draw(lines)
  if #lines == 0 then
    return self:erase()
  end
  local up = #lines > 1 and ("\27[%dA"):format(#lines - 1) or ""
  self.stream:write("\r" .. NO_WRAP
    .. table.concat(lines, END_OF_LINE .. "\r\n") .. ALL_BELOW .. WRAP .. "\r"
    .. up)
  self.stream:flush()
  self.is_drawn = true
end

--- Erase the lines; what is written next stands where they were.
function Screen:erase()
  if self.is_drawn then
    self.stream:write("\r" .. ALL_BELOW)
    self.is_drawn = false
  end
end

local Console = {}
Console.__index = Console

local BAR_CELLS, FEWEST_CELLS = 20, 5
local USUAL_WIDTH, USUAL_HEIGHT = 80, 24

-- The errno of a write that nobody reads any more, in every system.
local EPIPE = 32

-- Seconds as people read them. Returns such as 1:05.
function _M.clock_text(seconds)
  return ("%d:%02d"):format(math.floor(seconds / 60),
    math.floor(seconds % 60))
end

function _M.bar(share, cells)
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

-- One line of progress that fits the terminal and leaves its last column free. A narrow
-- terminal loses the bar, then the time. `what`: such as a status. `share`: from 0 to
-- 1, where it is known.
function _M.progress_line(what, share, elapsed, width)
  local room = math.max(1, width - 1)
  share = share and math.max(0, math.min(1, share))
  local percent = share and math.floor(share * 100 + 0.5) .. "%"
  local aligned = percent and ("%4s"):format(percent)
  local time = elapsed and _M.clock_text(elapsed)
  local cells = math.min(BAR_CELLS,
    room - #together("  ", what, aligned, "[]", time))
  local drawn = share and cells >= FEWEST_CELLS and _M.bar(share, cells)
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

-- What others have written does nothing here but stand there: a further line of it
-- is not taken for one of the command's.
local function line_of(text)
  return (utf8.shown(text, true):gsub("\n", "\n    "))
end

-- What is written while the command works. Nothing here ends it but a reader that is
-- gone, and that one as Ctrl-C does: what is on the wire gets its answer.
local function tell(self, ...)
  local _, _, errno = self.stderr:write(...)
  self.stderr:flush()
  if errno == EPIPE then
    self.unread = true
    self.lose_reader()
  end
end

-- Show progress: redrawn in place on a terminal, else a line when `what` has changed.
-- `share`: from 0 to 1.
function Console:progress(what, share, elapsed)
  if self.quiet or self.json then
    return
  elseif self.terminal then
    local width = self.size() or USUAL_WIDTH
    local text = _M.progress_line(utf8.shown(what), share, elapsed, width)
    self.drawn, text = text, text .. self:blanks(width, #text)
    tell(self, "\r", text)
  elseif what ~= self.last_told then
    self.last_told = what
    tell(self, line_of(what), "\n")
  end
end

-- Show several lines of progress, redrawn in place, on a terminal. `lines_for`: gets
-- columns and rows, and returns a list of lines.
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

-- A note for people, or with --json an object for programs.
function Console:note(text, object)
  if self.quiet then
    return
  end
  self:clear()
  tell(self, line_of(self.json and json.encode(object) or text), "\n")
end

-- The warnings of a call, a note each.
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

-- A line that --verbose asks for.
function Console:event(event)
  self:clear()
  local text
  if self.json then
    text = json.encode { event = event }
  elseif not event.method then
    text = event.failure and event.name .. ": " .. event.failure
      or event_text(event)
  else
    text = ("%s %s %s%s"):format(tostring(event.method), tostring(event.url),
      tostring(event.status or event.failure), event.elapsed and " "
      .. c_locale.number("%.3f", event.elapsed) .. " s" or "")
  end
  tell(self, line_of(text), "\n")
end

-- The result, on stdout. `text`: or what `list` returned. Returns whether it was written
-- whole, why not, whether it is a reader that is gone, and the err of the list.
function Console:result(text)
  self:clear()
  local written, problem, errno = true, nil, nil
  local function put(piece)
    if written then
      written, problem, errno = self.stdout:write(utf8.shown(piece, true))
    end
    return written ~= nil
  end
  local err
  if type(text) == "function" then
    err = text(put)
  else
    put(text .. "\n")
  end
  if written then
    written, problem, errno = self.stdout:flush()
  end
  return written and true or false, problem, errno == EPIPE, err
end

-- A list as a result that nobody holds as a whole: JSON, or with --json-lines an object a
-- line, and in the last one the sums. `sums`: the fields beside `orders`. `each`: calls a
-- function with each order until that returns false; returns nil and an err if it fails.
function _M.list(options, sums, each)
  local last = options.json_lines and next(sums) and json.encode(sums) .. "\n" or ""
  sums.orders = json.empty_list
  local head, tail = json.encode(sums):match '^(.*"orders":%[)(%].*)$'
  return function(put)
    local before = head
    local ok, err = each(function(order)
      local text = json.encode(order)
      if options.json_lines then
        return put(text .. "\n")
      end
      text, before = before .. text, ","
      return put(text)
    end)
    if not ok then
      return err
    end
    put(options.json_lines and last or (before == head and head or "") .. tail .. "\n")
  end
end

-- For `list`: the orders of a list that is there.
function _M.each(orders)
  return function(see)
    for _, order in ipairs(orders) do
      if not see(order) then
        break
      end
    end
    return true
  end
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

local function failure_json(err, subject)
  return '{"error":' .. json.encode(failure.shown(err))
    .. (subject and ',"order":' .. json.encode(subject) or "") .. "}"
end

local function failure_text(self, err, advice, subject)
  local before = "starvideos: " .. (self.unread
    and "stopped, because nobody reads its messages any more: " or "")
    .. (subject and subject .. ": " or "")
  local lines = { before .. (err.violations and heading(err)
    or err.plain and err.message or tostring(err)) }
  for _, violation in ipairs(err.violations or {}) do
    lines[#lines + 1] = "  " .. redact.text(violation_text(violation))
  end
  for _, line in ipairs(advice or {}) do
    lines[#lines + 1] = line
  end
  for index, line in ipairs(lines) do
    lines[index] = line_of(line)
  end
  return table.concat(lines, "\n")
end

-- An error, as a sentence with a line for each violation, or as JSON. Where stderr does
-- not take it stdout does: it may name a task that was bought. `err`: where it is
-- `plain`, its message alone is told. `advice`: lines: how to go on. `subject`: the
-- order it happened to, where that is one of many.
function Console:failure(err, advice, subject)
  self:clear()
  local text = (self.json and line_of(failure_json(err, subject))
    or failure_text(self, err, advice, subject)) .. "\n"
  local written, why = self.stderr:write(text)
  if not written and why then
    self.stdout:write(text)
    self.stdout:flush()
  end
end

-- Make a console. `env`: `stdout`, `stderr`, `terminal`, `size`, `getenv` and
-- `lose_reader` (functions; the last is called when nobody reads stderr any more).
function _M.new(env, options)
  return setmetatable({
    stdout = env.stdout,
    stderr = env.stderr,
    terminal = env.terminal() and env.getenv "TERM" ~= "dumb",
    size = env.size,
    json = options.json,
    quiet = options.quiet,
    lose_reader = env.lose_reader,
    drawn = "",
    screen = setmetatable({ stream = env.stderr, is_drawn = false }, Screen),
  }, Console)
end

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

-- An event as a line of a log: a JSON object, `at` and `name` first, and then the
-- fields in the order of `starvideos.events`. Returns without the end of the line.
function _M.log_line(event)
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

-- What was seen by a poll; nil of another event.
local function seen_by(event)
  return event.name == "exchange" and event.operation == "query" and event.task_id
    and ("%s %s %s %s"):format(tostring(event.url), tostring(event.status),
      tostring(event.failure), tostring(event.flaw)) or nil
end

-- Make a log. Its file is created at once, so that one that cannot be written is told
-- before anything is ordered. The first poll of a task is a line, and all further ones that
-- saw the same are another, when something changes: whoever is killed loses that one alone.
-- `complain`: called with the reason the first time that the file cannot be written.
-- Returns what takes an event, and what is called at the end.
function _M.log(path, complain)
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
  local polls = {} -- by task: what was `seen`, the last such `event` and their `count`
  local function write_polls(task)
    local held = polls[task]
    polls[task] = nil
    if held and held.event then
      held.event.polls = held.count
      write(_M.log_line(held.event) .. "\n")
    end
  end
  return function(event)
    local task, seen = event.task_id, seen_by(event)
    local held = task and polls[task]
    if seen and held and held.seen == seen then
      held.event, held.count = event, held.count + 1
      return
    elseif held then
      write_polls(task)
    end
    if seen then
      polls[task] = { seen = seen, count = 0 }
    end
    write(_M.log_line(event) .. "\n")
  end, function()
    for task in pairs(polls) do
      write_polls(task)
    end
  end
end

return _M
