-- A manifest: a list of orders as JSON lines, each an object with the parameters of one
-- order and `path`, `key`, `take` and `label` (see `client:enqueue`). Blank lines, a byte
-- order mark and the line ends of other systems mean nothing.

local errors = require "starvideos.errors"
local files = require "starvideos.base.file"
local json = require "starvideos.base.json"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- Bytes of a file that are read at a time.
local CHUNK_BYTES = 64 * 1024

-- Bytes of a line at most: far more than any order has.
local LINE_BYTES = 1024 * 1024

local MARK = "^\239\187\191"

-- Calls a function with each line: its number, its text (nil if it is too long), its bytes.
local function each_line(next_chunk, take)
  local parts, size, number = {}, 0, 0
  local function add(text)
    size = size + #text
    parts[#parts + 1] = size <= LINE_BYTES and text or nil
  end
  local function finish()
    number = number + 1
    take(number, size <= LINE_BYTES and table.concat(parts) or nil, size)
    parts, size = {}, 0
  end
  local chunk, why = next_chunk()
  while chunk do
    local at = 1
    repeat
      local newline = chunk:find("\n", at, true)
      add(chunk:sub(at, newline and newline - 1))
      if newline then
        finish()
        at = newline + 1
      end
    until not newline
    chunk, why = next_chunk()
  end
  if size > 0 then
    finish()
  end
  return why
end

-- The order of a line; nil, a code and what is wrong with the line.
local function order_of(text)
  local order, why = json.decode(text)
  if type(order) == "table" and text:find "^%s*{" then
    return order
  elseif not utf8.is_valid(text) then
    return nil, "encoding", ("the line is not valid UTF-8 without a NUL (%s)")
      :format(why or "no object")
  end
  return nil, "malformed", ("the line is no JSON object%s: a manifest has one"
    .. " object a line"):format(why and " (" .. why .. ")" or "")
end

local function take_line(list, number, text, size)
  local order, code, problem
  if not text then
    code, problem = "too_long", ("the line has %d bytes, and %d is the most")
      :format(size, LINE_BYTES)
  else
    text = number == 1 and text:gsub(MARK, "") or text
    if not text:find "%S" then
      return
    end
    order, code, problem = order_of(text)
  end
  if order then
    list.see(order, number)
  else
    list.violations[#list.violations + 1] = { line = number, code = code,
      message = problem }
  end
end

local function chunks_of(text)
  return function()
    local chunk = text
    text = nil
    return chunk
  end
end

-- Read a manifest from its text, or from a function that returns its next part, and in the
-- end nil and maybe why it could not read on. The list has the `lines` of its orders, and
-- `violations`: `line`, `code` and `message` of each line that is no order. Whoever
-- checks the orders names these with their own faults. `see`: gets each order and its line,
-- which are not in the list then.
function _M.read(source, see)
  local list = { lines = {}, violations = {} }
  list.see = see or function(order, number)
    list[#list + 1] = order
    list.lines[#list] = number
  end
  local why = each_line(type(source) == "string" and chunks_of(source)
    or source, function(...)
      take_line(list, ...)
    end)
  list.see = nil
  if why then
    return nil, why
  end
  return list
end

-- Read a manifest from a file.
function _M.load(path, see)
  local file, why = files.open(path)
  local list
  if file then
    list, why = _M.read(function()
      return file:read(CHUNK_BYTES)
    end, see)
    file:close()
  end
  if list then
    return list
  end
  why = why:sub(1, #path + 2) == path .. ": " and why or path .. ": " .. why
  return nil, errors.new { kind = "io", message = ("the list of orders cannot"
    .. " be read: %s; nothing was ordered"):format(why) }
end

return _M
