--- Lines at the end of a terminal, redrawn in place.
--
-- The cursor rests at the beginning of the first line: a terminal that wraps lines
-- again when its window becomes narrower keeps it there, and whatever it made of
-- the lines below is overwritten or erased by the next drawing.
-- @module starvideos.cli.screen

local Screen = {}
Screen.__index = Screen

-- A terminal may take a character for wider than it is here: then its line is cut
-- at the right, and does not wrap.
local NO_WRAP, WRAP = "\27[?7l", "\27[?7h"
local END_OF_LINE, ALL_BELOW = "\27[K", "\27[J"

--- Draw lines in place of those that are there.
-- @tparam table lines each fit for the width of the terminal; fewer than it has
--   rows
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

local _M = {}

--- Make one.
-- @tparam table stream
-- @treturn table screen
function _M.new(stream)
  return setmetatable({ stream = stream, is_drawn = false }, Screen)
end

return _M
