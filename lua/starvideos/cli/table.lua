--- Tables for people, at the width of their terminal.
-- @module starvideos.cli.table

local widths = require "starvideos.cli.width"

local _M = {}

local GAP = 2

-- A column that may be cut keeps so many cells, one that goes on in further lines
-- so many.
local FEWEST, FEWEST_TO_WRAP = 8, 14

local function wanted_widths(headings, rows)
  local list = {}
  for index, heading in ipairs(headings) do
    list[index] = widths.of(heading)
  end
  for _, row in ipairs(rows) do
    for index = 1, #headings do
      list[index] = math.max(list[index], widths.of(tostring(row[index] or "-")))
    end
  end
  return list
end

local function sum(list)
  local total = (#list - 1) * GAP
  for _, width in ipairs(list) do
    total = total + width
  end
  return total
end

-- The widest of the columns that may be cut, unless it has the fewest cells.
local function widest_of(list, flexible)
  local widest
  for index in pairs(flexible) do
    if (list[index] or 0) > FEWEST
      and (not widest or list[index] > list[widest]
        or list[index] == list[widest] and index < widest) then
      widest = index
    end
  end
  return widest
end

-- Takes what is too much from the last column where that may go on in a further
-- line, then from those that may be cut, the widest first. Returns whether the
-- table fits.
local function fit(list, room, given)
  local last, excess = #list, sum(list) - room
  if given.wraps and excess > 0 then
    local least = math.min(list[last], FEWEST_TO_WRAP)
    list[last] = math.max(least, list[last] - excess)
    excess = sum(list) - room
  end
  while excess > 0 do
    local widest = widest_of(list, given.flexible or {})
    if not widest then
      return false
    end
    list[widest], excess = list[widest] - 1, excess - 1
  end
  return true
end

-- A text in lines of so many columns, broken between its words.
local function wrapped(text, room)
  local lines = {}
  for word in text:gmatch "%S+" do
    local last = lines[#lines]
    if last and widths.of(last) + 1 + widths.of(word) <= room then
      lines[#lines] = last .. " " .. word
    else
      lines[#lines + 1] = word
    end
  end
  return lines
end

local function line_of(row, list, numbers)
  local parts = {}
  for index, width in ipairs(list) do
    local text, used = widths.ending(tostring(row[index] or "-"), width)
    local blanks = (" "):rep(width - used)
    parts[index] = numbers[index] and blanks .. text or text .. blanks
  end
  return (table.concat(parts, (" "):rep(GAP)):gsub(" +$", ""))
end

local function add_row(lines, row, list, given)
  local numbers, last = given.numbers or {}, #list
  local further = given.wraps and wrapped(tostring(row[last] or "-"), list[last])
    or {}
  local first = {}
  for index in ipairs(list) do
    first[index] = row[index]
  end
  first[last] = further[1] or row[last]
  lines[#lines + 1] = line_of(first, list, numbers)
  for index = 2, #further do
    local rest = {}
    for column = 1, last - 1 do
      rest[column] = ""
    end
    rest[last] = further[index]
    lines[#lines + 1] = line_of(rest, list, numbers)
  end
end

-- For a terminal too narrow for a table: each row as lines of heading and value.
-- Words are not cut here: an id or a path is there to be copied.
local function stacked(headings, rows, width)
  local column, lines = 0, {}
  for _, heading in ipairs(headings) do
    column = math.max(column, widths.of(heading))
  end
  local room = math.max(FEWEST, width - column - GAP)
  for index, row in ipairs(rows) do
    lines[#lines + 1] = index > 1 and "" or nil
    for place, heading in ipairs(headings) do
      local before = heading .. (" "):rep(column - widths.of(heading) + GAP)
      local text = tostring(row[place] or "-")
      for _, part in ipairs(wrapped(text == "" and "-" or text, room)) do
        lines[#lines + 1] = before .. widths.ending(part, widths.of(part))
        before = (" "):rep(column + GAP)
      end
    end
  end
  return table.concat(lines, "\n")
end

--- Whether the result is to be read by people: it goes to a terminal, and no JSON
-- was asked for.
-- @tparam table job
-- @treturn boolean
function _M.is_for_people(job)
  return not job.options.json and job.env.stdout_terminal()
end

--- The columns that a table may take.
-- @tparam table job
-- @treturn ?number
function _M.width(job)
  return (job.env.stdout_size())
end

--- Lay a table out.
-- @tparam table headings
-- @tparam table rows lists of texts, nil where there is nothing
-- @tparam table given `width` (columns; nil: as wide as it is), `flexible` (a set
--   of the numbers of columns that may be cut), `wraps` (whether the last column
--   may go on in further lines), `numbers` (a set of those that are aligned at the
--   right)
-- @treturn string
function _M.text(headings, rows, given)
  local list = wanted_widths(headings, rows)
  if given.width and not fit(list, given.width, given) then
    return stacked(headings, rows, given.width)
  end
  local lines = { line_of(headings, list, given.numbers or {}) }
  for _, row in ipairs(rows) do
    add_row(lines, row, list, given)
  end
  return table.concat(lines, "\n")
end

return _M
