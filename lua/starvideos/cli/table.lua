-- Tables for people, at the width of their terminal, and how many columns of it a text
-- takes: two for a wide character, none for a mark that stands over another.

local utf8s = require "starvideos.base.utf8"

local _M = {}

-- Code points in hexadecimal, by the columns they take; all others take one. Marks of
-- scripts that few people write are left out, and what stands between pictures is
-- taken for a picture: a text that is guessed too wide is cut, one too narrow would wrap.
local RANGES = { [0] = [[
300-36F 483-489 591-5BD 5BF 5C1-5C2 5C4-5C5 5C7 600-605 610-61A 61C 64B-65F 670
6D6-6DD 6DF-6E4 6E7-6E8 6EA-6ED 7A6-7B0 8CA-902 93A 93C 941-948 94D 951-957
962-963 981 9BC 9C1-9C4 9CD 9E2-9E3 9FE-A02 A3C A41-A51 A70-A71 A75 A81-A82 ABC
AC1-AC8 ACD AE2-AE3 AFA-B01 B3C B3F B41-B44 B4D-B56 B62-B63 B82 BC0 BCD C00 C04
C3C C3E-C40 C46-C56 C62-C63 C81 CBC CBF CC6 CCC-CCD CE2-CE3 D00-D01 D3B-D3C
D41-D44 D4D D62-D63 D81 DCA DD2-DD6 E31 E34-E3A E47-E4E EB1 EB4-EBC EC8-ECD
F18-F19 F35 F37 F39 F71-F7E F80-F84 F86-F87 F8D-FBC FC6 102D-1030 1032-1037
1039-103A 103D-103E 1058-1059 105E-1060 1071-1074 1082 1085-1086 108D 109D
1160-11FF 17B4-17B5 17B7-17BD 17C6 17C9-17D3 17DD 180B-180F 1AB0-1B03 1DC0-1DFF
200B-200F 202A-202E 2060-206F 20D0-20F0 302A-302D 3099-309A FE00-FE0F FE20-FE2F
FEFF FFF9-FFFB E0001-E01EF]], [2] = [[
1100-115F 231A-231B 2329-232A 23E9-23EC 23F0 23F3 25FD-25FE 2614-2615 2648-2653
267F 2693 26A1 26AA-26AB 26BD-26BE 26C4-26C5 26CE 26D4 26EA 26F2-26F3 26F5 26FA
26FD 2705 270A-270B 2728 274C 274E 2753-2755 2757 2795-2797 27B0 27BF 2B1B-2B1C
2B50 2B55 2E80-303E 3041-3247 3250-4DBF 4E00-A4C6 A960-A97C AC00-D7A3 F900-FAD9
FE10-FE6B FF01-FF60 FFE0-FFE6 16FE0-1B2FB 1F004 1F0CF 1F18E-1F19A 1F200-1F5A4
1F5FB-1F64F 1F680-1F6FC 1F7E0-1F7F0 1F90C-1F9FF 1FA70-1FAF6 20000-3134A]] }

local ranges

local function read_ranges()
  ranges = {}
  for width = 0, 2, 2 do -- some marks lie among wide characters
    for first, last in RANGES[width]:gmatch "(%x+)%-?(%x*)" do
      local from = tonumber(first, 16)
      ranges[#ranges + 1] = { from, tonumber(last, 16) or from, width }
    end
  end
end

local function code_width(code)
  if not ranges then
    read_ranges()
  end
  for _, range in ipairs(ranges) do
    if code >= range[1] and code <= range[2] then
      return range[3]
    end
  end
  return 1
end

local known = {}

-- A character beyond ASCII as it is shown, and its width.
local function shown(character)
  local found = known[character]
  if not found then
    local code = utf8s.code(character)
    found = utf8s.is_control(code) and { "?", 1 } or { character, code_width(code) }
    known[character] = found
  end
  return found[1], found[2]
end

-- The character at a byte as it is shown, its width, and where it ends.
local function character_at(text, at)
  local byte = text:byte(at)
  if byte < 128 then
    local is_shown = byte >= 32 and byte < 127
    return is_shown and string.char(byte) or "?", 1, at
  end
  local length = utf8s.length_at(text, at)
  if not length then
    return "?", 1, at
  end
  local last = at + length - 1
  local character, width = shown(text:sub(at, last))
  return character, width, last
end

-- A text as a list of what is drawn together, each with its width. What cannot be
-- shown is a question mark.
local function cells_of(text)
  local cells, at = {}, 1
  while at <= #text do
    local character, width, final = character_at(text, at)
    local last = cells[#cells]
    if width == 0 and last then
      last.text = last.text .. character
    else
      cells[#cells + 1] = { text = character, width = width }
    end
    at = final + 1
  end
  return cells
end

-- From a cell of a list, in steps, as many as there is room for.
local function fill(cells, first, step, room)
  local index = first
  while cells[index] and cells[index].width <= room do
    room = room - cells[index].width
    index = index + step
  end
  return index - step
end

local function join(cells, first, last)
  local parts = {}
  for index = first, last do
    parts[#parts + 1] = cells[index].text
  end
  return table.concat(parts)
end

local function cells_width(cells, first, last)
  local width = 0
  for index = first, last do
    width = width + cells[index].width
  end
  return width
end

-- How wide a text is.
function _M.width_of(text)
  local cells = cells_of(text)
  return cells_width(cells, 1, #cells)
end

-- As much of a text as fits, without cutting a character in two. Returns fit to be
-- shown: control characters are question marks.
function _M.cut(text, room)
  local cells = cells_of(text)
  local last = fill(cells, 1, 1, room)
  return join(cells, 1, last), cells_width(cells, 1, last)
end

-- The end of a text, where it does not fit: of a path that says most. Returns fit to be
-- shown.
function _M.ending(text, room)
  local cells = cells_of(text)
  local width = cells_width(cells, 1, #cells)
  if width <= room then
    return join(cells, 1, #cells), width
  elseif room < 1 then
    return "", 0
  end
  local first = fill(cells, #cells, -1, room - 1)
  return "\226\128\166" .. join(cells, first, #cells),
    1 + cells_width(cells, first, #cells)
end

local GAP = 2

-- A column that may be cut keeps so many cells, one that goes on in further lines
-- so many.
local FEWEST, FEWEST_TO_WRAP = 8, 14

local function wanted_widths(headings, rows)
  local list = {}
  for index, heading in ipairs(headings) do
    list[index] = _M.width_of(heading)
  end
  for _, row in ipairs(rows) do
    for index = 1, #headings do
      list[index] = math.max(list[index], _M.width_of(tostring(row[index] or "-")))
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
    if last and _M.width_of(last) + 1 + _M.width_of(word) <= room then
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
    local text, used = _M.ending(tostring(row[index] or "-"), width)
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
    column = math.max(column, _M.width_of(heading))
  end
  local room = math.max(FEWEST, width - column - GAP)
  for index, row in ipairs(rows) do
    lines[#lines + 1] = index > 1 and "" or nil
    for place, heading in ipairs(headings) do
      local before = heading .. (" "):rep(column - _M.width_of(heading) + GAP)
      local text = tostring(row[place] or "-")
      for _, part in ipairs(wrapped(text == "" and "-" or text, room)) do
        lines[#lines + 1] = before .. _M.ending(part, _M.width_of(part))
        before = (" "):rep(column + GAP)
      end
    end
  end
  return table.concat(lines, "\n")
end

-- Whether the result is to be read by people: it goes to a terminal, and no JSON was
-- asked for.
function _M.is_for_people(job)
  return not job.options.json and job.env.stdout_terminal()
end

-- The columns that a table may take.
function _M.columns(job)
  return (job.env.stdout_size())
end

-- Lay a table out. `rows`: lists of texts, nil where there is nothing. `given`: `width`
-- (columns; nil: as wide as it is), `flexible` (a set of the numbers of columns that
-- may be cut), `wraps` (whether the last column may go on in further lines), `numbers`
-- (a set of those that are aligned at the right).
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
