--- To drop what is private of orders that have ended: the key and the outcome
-- stay, so that the same order is still recognised, and buys nothing.
-- @module starvideos.ledger.archive

local _M = {}

--- How `params` of an archived order is written; see the column `params_form`.
_M.FORM = 3

-- Orders that are read, or changed, at a time: nobody waits long for the database.
local PAGE = 500

local READ = [[SELECT order_id, params, revision FROM starvideos_orders
  WHERE order_id > ? AND closed_at < ? AND params_form <> 3
  ORDER BY order_id LIMIT ]] .. PAGE

local CHANGE = [[UPDATE starvideos_orders SET params = ?, params_form = 3,
  revision = revision + 1 WHERE order_id = ? AND revision = ?]]

-- What a batch has staged that was killed: nothing of it was ever sent.
local STALE = [[ FROM starvideos_orders WHERE state = 'staged'
  AND updated_at < ? AND attempts = 0 AND refused_tasks IS NULL]]
local DROP_STALE_BODIES = [[DELETE FROM starvideos_bodies
  WHERE order_id IN (SELECT order_id]] .. STALE .. ")"
local DROP_STALE = "DELETE" .. STALE

--- What a worker would send for an order goes, too.
_M.DROP_BODY = "DELETE FROM starvideos_bodies WHERE order_id = ?"

-- Three sums of 31 bits each: two texts that people write do not share them all.
-- Whoever can guess the whole text can tell that it is this one.
local MODULUS = 2147483647
local FACTORS = { 31, 257, 65599 }

--- What tells the parameters of an order from others, without showing them.
-- @tparam string text
-- @treturn string
function _M.digest(text)
  local sums = { 1, 1, 1 }
  for index = 1, #text do
    local byte = text:byte(index)
    for position = 1, 3 do
      sums[position] = (sums[position] * FACTORS[position] + byte) % MODULUS
    end
  end
  return ("%d-%08x%08x%08x"):format(#text, sums[1], sums[2], sums[3])
end

local function archive_row(store, row)
  local count, err = store:write(CHANGE, row.digest, row.order_id,
    row.revision)
  if count == 1 then
    local ok
    ok, err = store:write(_M.DROP_BODY, row.order_id)
    count = ok and count
  end
  return count, err
end

-- The digests are made beforehand: others wait for the transaction.
local function archive_page(store, rows)
  for _, row in ipairs(rows) do
    row.digest = _M.digest(row.params)
  end
  return store:transaction(function()
    local total = 0
    for _, row in ipairs(rows) do
      local count, err = archive_row(store, row)
      if not count then
        return nil, err
      end
      total = total + count
    end
    return total
  end)
end

local function drop_stale(store, before)
  return store:transaction(function()
    local count, err = store:write(DROP_STALE_BODIES, before)
    if count then
      count, err = store:write(DROP_STALE, before)
    end
    return count, err
  end)
end

--- Archive a page of the orders that ended before a time. With the first page go
-- the orders of a batch that was staged before it and never enqueued.
-- @tparam table store
-- @tparam table _ caller
-- @tparam number before Unix seconds
-- @tparam ?string after where the page before ended
-- @treturn ?number how many were archived
-- @treturn ?string|table where more may follow the `after` of the next page; or
--   err
function _M.page(store, _, before, after)
  local rows, err = store:read(READ, after or "", before)
  local dropped = rows
  if rows and not after then
    dropped, err = drop_stale(store, before)
  end
  if not dropped then
    return nil, err
  end
  local count
  count, err = archive_page(store, rows)
  return count, count and #rows == PAGE and rows[PAGE].order_id or err
end

return _M
