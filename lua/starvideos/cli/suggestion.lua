--- The word that was probably meant, where one is not known.
-- @module starvideos.cli.suggestion

local _M = {}

-- How many letters are added, left out, changed or exchanged with their neighbour
-- between two words.
local function distance(one, other)
  local rows = { [0] = {} }
  for column = 0, #other do
    rows[0][column] = column
  end
  for row = 1, #one do
    rows[row] = { [0] = row }
    for column = 1, #other do
      local same = one:byte(row) == other:byte(column)
      local least = math.min(rows[row - 1][column] + 1, rows[row][column - 1] + 1,
        rows[row - 1][column - 1] + (same and 0 or 1))
      if row > 1 and column > 1 and one:byte(row) == other:byte(column - 1)
        and one:byte(row - 1) == other:byte(column) then
        least = math.min(least, rows[row - 2][column - 2] + 1)
      end
      rows[row][column] = least
    end
  end
  return rows[#one][#other]
end

--- The nearest of some words.
-- @tparam string wrong
-- @tparam table words a list
-- @treturn ?string nil where none is near: a third of its letters may differ, or it
--   goes on where the wrong one ends
function _M.of(wrong, words)
  local best, fewest
  for _, word in ipairs(words) do
    local letters = #word:gsub("^%-+", "")
    local faults = distance(wrong:sub(1, 40), word)
    if #wrong >= 3 and word:sub(1, #wrong) == wrong then
      faults = 0.5
    end
    if faults <= math.max(1, letters / 3) and (not fewest or faults < fewest) then
      best, fewest = word, faults
    end
  end
  return best
end

return _M
