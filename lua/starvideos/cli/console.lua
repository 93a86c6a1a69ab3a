--- Where results, notes and progress go: JSON on stdout, the rest on stderr.
-- @module starvideos.cli.console

local json = require "starvideos.json"

local Console = {}
Console.__index = Console

local BAR_CELLS = 20
local NARROWEST = 20

local function clock_text(seconds)
  return ("%d:%02d"):format(math.floor(seconds / 60),
    math.floor(seconds % 60))
end

local function bar(share)
  local filled = math.floor(share * BAR_CELLS + 0.5)
  return "[" .. ("#"):rep(filled) .. ("."):rep(BAR_CELLS - filled) .. "]"
end

--- One line of progress, no wider than the terminal.
-- @tparam string what such as a status
-- @tparam ?number share from 0 to 1, where it is known
-- @tparam ?number elapsed seconds
-- @tparam number width columns
-- @treturn string
local function progress_line(what, share, elapsed, width)
  local parts = { what }
  if share then
    share = math.max(0, math.min(1, share))
    parts[#parts + 1] = ("%3d%%"):format(math.floor(share * 100 + 0.5))
    parts[#parts + 1] = bar(share)
  end
  if elapsed then
    parts[#parts + 1] = clock_text(elapsed)
  end
  return table.concat(parts, "  "):sub(1, math.max(NARROWEST, width - 1))
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
    local line = progress_line(what, share, elapsed, self.width)
    local blanks = (" "):rep(math.max(0, #self.drawn - #line))
    self.stderr:write("\r", line, blanks)
    self.stderr:flush()
    self.drawn = line
  elseif what ~= self.last_told then
    self.stderr:write(what, "\n")
    self.last_told = what
  end
end

--- Take the progress line away.
function Console:clear()
  if self.drawn ~= "" then
    self.stderr:write("\r", (" "):rep(#self.drawn), "\r")
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

--- A line that --verbose asks for.
-- @tparam table event
function Console:event(event)
  self:clear()
  if self.json then
    self.stderr:write(json.encode { event = event }, "\n")
    return
  elseif not event.method then
    self.stderr:write(("%s: %s\n"):format(event.name, event.failure))
    return
  end
  self.stderr:write(("%s %s %s%s\n"):format(tostring(event.method),
    tostring(event.url), tostring(event.status or event.failure),
    event.elapsed and (" %.3f s"):format(event.elapsed) or ""))
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

local shown = { "kind", "message", "status", "code", "retryable", "task_id",
  "retry_after", "phase", "sent", "bytes_sent", "order", "violations",
  "warnings" }

--- What programs get to see of an error.
-- @tparam table err
-- @treturn table
local function error_object(err)
  local object = {}
  for _, name in ipairs(shown) do
    object[name] = err[name]
  end
  for _, name in ipairs { "violations", "warnings" } do
    if object[name] and #object[name] == 0 then
      object[name] = nil
    end
  end
  return object
end

-- With an order it is about a key that this order has.
local function heading(err)
  return err.order and "the key is taken; nothing was sent"
    or "the order breaks documented limits; nothing was sent"
end

--- An error, as a sentence with a line for each violation, or as JSON.
-- @tparam table err
-- @tparam ?table advice lines: how to go on
-- @tparam ?string subject the order it happened to, where that is one of many
function Console:failure(err, advice, subject)
  self:clear()
  if self.json then
    self.stderr:write(json.encode { error = error_object(err),
      order = subject }, "\n")
    return
  end
  local before = "starvideos: " .. (subject and subject .. ": " or "")
  if err.violations then
    self.stderr:write(before, heading(err), "\n")
    for _, violation in ipairs(err.violations) do
      self.stderr:write("  ", violation.message, "\n")
    end
  else
    self.stderr:write(before, tostring(err), "\n")
  end
  for _, line in ipairs(advice or {}) do
    self.stderr:write(line, "\n")
  end
end

local _M = { progress_line = progress_line, error_object = error_object }

--- Make a console.
-- @tparam table env `stdout`, `stderr`, `terminal` (function), `width`
-- @tparam table options `json`, `quiet`
-- @treturn table console
function _M.new(env, options)
  return setmetatable({
    stdout = env.stdout,
    stderr = env.stderr,
    terminal = env.terminal(),
    width = env.width or 80,
    json = options.json,
    quiet = options.quiet,
    drawn = "",
  }, Console)
end

return _M
