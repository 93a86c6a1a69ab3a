-- What one sees on a terminal while many orders are made: a line for the whole, and one
-- for each that runs.

local consoles = require "starvideos.cli.console"
local values = require "starvideos.cli.values"
local tables = require "starvideos.cli.table"

local _M = {}

local BAR_CELLS = 20

-- A name has so many columns, or half of the line, before anything else.
local FEWEST_OF_NAME = 8

-- Seconds as an estimate. Returns such as "about 12 min left".
function _M.estimate(seconds)
  local minutes = math.floor(seconds / 60 + 0.5)
  if seconds < 50 then
    return "less than a minute left"
  elseif minutes < 90 then
    return ("about %d min left"):format(math.max(1, minutes))
  elseif minutes < 48 * 60 then
    return ("about %d h left"):format(math.floor(minutes / 60 + 0.5))
  end
  return ("about %d days left"):format(math.floor(minutes / 1440 + 0.5))
end

-- The parts of the line for the whole, and how dear each is: in a narrow terminal
-- the cheapest go first.
local function parts_of(overview)
  local ended, waiting, left = overview.ended, overview:waiting(), overview:time_left()
  local spent = values.sum(overview.spent)
  local parts = {
    { 9, overview.total and ("%d of %d done"):format(ended.done, overview:count())
      or ended.done .. " done" },
    { 6, #overview.order > 0 and #overview.order .. " running" },
    { 6, overview.others > 0 and overview.others .. " by others" },
    { 8, #overview.order == 0 and overview.limit and waiting ~= 0
      and "waiting for the limit " .. overview.limit },
    { 8, ended.failed > 0 and ended.failed .. " failed" },
    { 7, ended.unknown > 0 and ended.unknown .. " unknown" },
    { 7, ended.bought > 0 and ended.bought .. " bought, not saved" },
    { 3, waiting and waiting > 0 and waiting .. " queued" },
    { 4, spent and spent .. " spent" },
    { 5, left and _M.estimate(left) },
  }
  local list = {}
  for _, part in ipairs(parts) do
    list[#list + 1] = part[2] and part or nil
  end
  return list
end

local function joined(parts)
  local texts = {}
  for index, part in ipairs(parts) do
    texts[index] = part[2]
  end
  return table.concat(texts, ", ")
end

local function drop_cheapest(parts)
  local cheapest = 1
  for index, part in ipairs(parts) do
    cheapest = part[1] < parts[cheapest][1] and index or cheapest
  end
  table.remove(parts, cheapest)
end

-- The line for the whole. `room`: columns; `math.huge` for all of it.
function _M.whole(overview, room)
  local parts = parts_of(overview)
  while #parts > 1 and tables.width_of(joined(parts)) > room do
    drop_cheapest(parts)
  end
  return (tables.cut(joined(parts), room):gsub("[ ,]+$", ""))
end

-- What is done with an order, and for how long.
local function plain_progress(entry, now)
  local what = tables.cut(tostring(entry.what or ""), 40)
  local time = consoles.clock_text(now - entry.began)
  return what .. "  " .. time, what, time
end

-- The right part of the line of an order, in the longest form there is room for.
local function progress_of(entry, now, room)
  local plain, what, time = plain_progress(entry, now)
  local forms = { plain, what, "" }
  if entry.share then
    local percent = ("%3d%%"):format(math.floor(entry.share * 100 + 0.5))
    table.insert(forms, 1, ("%s %s  %s"):format(what, percent, time))
    table.insert(forms, 1, ("%s %s  %s  %s"):format(what, percent,
      consoles.bar(entry.share, BAR_CELLS), time))
  end
  for _, form in ipairs(forms) do
    if tables.width_of(form) <= room then
      return form
    end
  end
  return ""
end

-- The line of an order: the end of its name, and how far it is. `name_room`: columns
-- that its name gets at most. `room`: columns of the line.
function _M.line(entry, now, name_room, room)
  name_room = math.min(name_room, room - 2)
  local progress = progress_of(entry, now, room - name_room - 4)
  if progress == "" then
    name_room = room - 2
  end
  local name, width = tables.ending(entry.name, name_room)
  local line = "  " .. name
  return progress == "" and line
    or line .. (" "):rep(name_room - width + 2) .. progress
end

-- The columns of the longest name, up to what the rest of the line leaves.
local function name_room_of(entries, now, room)
  local longest, rest = FEWEST_OF_NAME, 0
  for _, entry in ipairs(entries) do
    longest = math.max(longest, tables.width_of(entry.name))
    rest = math.max(rest, tables.width_of((plain_progress(entry, now))))
  end
  return math.min(longest, math.max(FEWEST_OF_NAME, math.floor(room / 2),
    room - rest - 4))
end

-- All lines. They leave the last column free, and the last row. `columns`: of the
-- terminal. `rows`: of the terminal.
function _M.lines(overview, columns, rows)
  local room = math.max(1, columns - 1)
  local lines, count = { _M.whole(overview, room) }, #overview.order
  local notice = overview.trouble and "ordering: " .. overview.trouble
    or not overview.total and count == 0 and "waiting for orders"
  if notice and rows > 2 then
    lines[2] = (tables.cut(notice, room))
  end
  local most = math.max(0, rows - 1 - #lines)
  local shown = count > most and math.max(0, most - 1) or count
  local entries = { (table.unpack or unpack)(overview.order, 1, shown) }
  local name_room = name_room_of(entries, overview.now(), room)
  for _, entry in ipairs(entries) do
    lines[#lines + 1] = (tables.cut(
      _M.line(entry, overview.now(), name_room, room), room))
  end
  if shown < count and most > 0 then
    lines[#lines + 1] = (tables.cut(("  \226\128\166 and %d more"):format(
      count - shown), room))
  end
  return lines
end

return _M
