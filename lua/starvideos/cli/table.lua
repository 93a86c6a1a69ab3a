--- Tables for people, at the width of their terminal.
-- @module starvideos.cli.table

local widths = require "starvideos.cli.width"

local _M = {}

local GAP = 2

-- A column that may be cut keeps so many.
local FEWEST = 8

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

-- Takes what is too much from the columns that may be cut, the widest first.
local function fit(list, room, flexible)
  local total = (#list - 1) * GAP
  for _, width in ipairs(list) do
    total = total + width
  end
  while total > room do
    local widest
    for index in pairs(flexible) do
      if (list[index] or 0) > FEWEST
        and (not widest or list[index] > list[widest]
          or list[index] == list[widest] and index < widest) then
        widest = index
      end
    end
    if not widest then
      return
    end
    list[widest], total = list[widest] - 1, total - 1
  end
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
--   of the numbers of columns that may be cut), `numbers` (a set of those that are
--   aligned at the right)
-- @treturn string
function _M.text(headings, rows, given)
  local list = wanted_widths(headings, rows)
  if given.width then
    fit(list, given.width, given.flexible or {})
  end
  local numbers = given.numbers or {}
  local lines = { line_of(headings, list, numbers) }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = line_of(row, list, numbers)
  end
  return table.concat(lines, "\n")
end

return _M
