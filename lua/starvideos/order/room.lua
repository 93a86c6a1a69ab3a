-- Whether the disk that a video goes to has room for it: what is bought and cannot be
-- saved expires.

local errors = require "starvideos.errors"
local paths = require "starvideos.base.path"

local _M = {}

-- Bytes that a video is taken to have before the ledger knows one: more than those of the
-- provider had that we have seen.
local BYTES = 25e6

-- The orders of this Lua state that are about to be sent: the `place` of each, and its
-- `number` among them.
local about = setmetatable({}, { __mode = "k" })
local last = 0

local function place_of(context, folder)
  local bytes, place = context.runtime:disk("room", folder)
  return bytes, bytes and place
end

local function folder_of(path, directory)
  if not path or not paths.is_rooted(path) then
    path = directory .. "/" .. (path or "")
  end
  return paths.folder(path) or "."
end

-- How many of the open orders go to the same place, and what is about to be sent before
-- this one.
local function count(context, rows, mine, directory)
  local sum, ids, places = 0, {}, { [mine.folder] = mine.place }
  for order, other in pairs(about) do
    ids[order.row.order_id] = true
    sum = sum + (other.place == mine.place and other.number < mine.number and 1 or 0)
  end
  for _, row in ipairs(rows) do
    local folder = folder_of(row.path, directory)
    if places[folder] == nil then
      local _, place = place_of(context, folder)
      places[folder] = place or false
    end
    sum = sum + (not ids[row.order_id] and places[folder] == mine.place and 1 or 0)
  end
  return sum
end

local function millions(bytes)
  return ("%.0f MB"):format(math.ceil(bytes / 1e6))
end

local function full(folder, free, open, needed)
  return errors.new { kind = "io", target = "full", sent = false, message = ("the disk of"
    .. " %s has %s free, and %d open orders and this one need %s; nothing was ordered:"
    .. " free some space, then try again (min_free = 0, --min-free 0: the disk is not"
    .. " asked)"):format(folder, millions(free - 5e5), open, millions(needed)) }
end

-- The order was sent, or will not be.
function _M.done(order)
  about[order] = nil
end

-- Whether there is room for the video of an order, as large as the largest before, and for
-- those of all open orders that go to the same disk. To be asked right before it is sent;
-- `done` follows. `order`: of `starvideos.order.recorder`. `path`: of its file. `options`:
-- `min_free` and `directory`, to which relative paths lead. Returns true; or err, of kind io
-- with target `full`.
function _M.check(context, order, path, options)
  if options.min_free == 0 then
    return true
  end
  local directory = options.directory or "."
  local folder = paths.folder(path) or "."
  local free, place = place_of(context, folder)
  if not free then
    return true -- a system that cannot tell
  end
  last = last + 1
  local mine = { folder = folder, place = place, number = last }
  about[order] = mine
  local owed, err = context.ledger:owed()
  if not owed then
    return nil, err
  end
  local open = count(context, owed.rows, mine, directory)
  local each = owed.largest > 0 and owed.largest or BYTES
  local needed = math.max((open + 1) * each, options.min_free or 0)
  if free < needed then
    _M.done(order)
    return nil, full(folder, free, open, needed)
  end
  return true
end

return _M
