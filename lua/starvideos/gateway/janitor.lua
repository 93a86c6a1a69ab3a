-- Removes videos that were kept for long enough, and the oldest ones where all together
-- take too much room; and what a download has left of an order that ended without a
-- video. What it removed it marks in the ledger, so that a caller is told that the
-- video has expired.
--
-- One nginx worker at a time does that, on a lease: where it is killed, another one
-- goes on soon.

local contexts = require "starvideos.context"
local order_feed = require "starvideos.gateway.order_feed"
local orders = require "starvideos.gateway.orders"
local records = require "starvideos.ledger.record"

local _M = {}

-- In seconds unless said otherwise.
_M.policy = {
  look = 30, -- between two looks of an nginx worker whether it is to sweep
  rest = 600, -- after a sweep, until the next one
  lease = 60, -- of the one that sweeps
  spared = 600, -- after the end of an order, in which what it has stays
  page = 100, -- orders that are read at a time
}

-- Of the shared dict.
local KEY = "janitor"

-- What an order may have on disk.
local ENDINGS = { "", ".part", ".part.json" }

-- The same number on every system that has it at all.
local NO_SUCH_FILE = 2

local function remove(tools, path)
  for _, ending in ipairs(ENDINGS) do
    local ok, failure = tools.remove(path .. ending)
    if not ok and failure.errno ~= NO_SUCH_FILE then
      return nil, failure
    end
  end
  return true
end

-- Where this nginx worker is killed in between, the next sweep marks the order.
local function clear(tools, file, result)
  tools.announce(file.order_id)
  local ok, err = remove(tools, file.path)
  if ok then
    ok, err = tools.mark(file.order_id)
  end
  result.count = result.count + (ok and 1 or 0)
  result.failure = result.failure or not ok and err.message or nil
  return ok
end

-- Whether nobody needs what an order has, however much room there is.
local function is_over(app, row)
  local expires_at = orders.expires_at(app, row.closed_at or row.updated_at)
  return row.state ~= "downloaded" or row.deleted_at ~= nil
    or expires_at ~= nil and expires_at <= app.now()
end

-- Removes what is over of a page; adds the other files to those that are kept.
local function take_page(app, tools, rows, kept, result)
  local finished_by = app.now() - _M.policy.spared
  for _, row in ipairs(rows) do
    local file = { order_id = row.order_id, bytes = row.bytes or 0,
      path = orders.path_of(app, row.order_id),
      is_spared = row.updated_at > finished_by }
    local is_ours, over = tools.is_ours(row), is_over(app, row)
    if is_ours and over and not file.is_spared then
      clear(tools, file, result)
    elseif is_ours and not over then
      kept[#kept + 1], kept.bytes = file, kept.bytes + file.bytes
    end
  end
end

-- Removes what is over; returns the files that stay, the oldest first.
local function clear_old(app, tools, result)
  local kept, after = { bytes = 0 }, nil
  repeat
    local rows, err = tools.list(after)
    if not rows then
      result.failure = err.message
      return {}
    end
    take_page(app, tools, rows, kept, result)
    after = rows[1] and rows[#rows].order_id
  until #rows < _M.policy.page or not tools.may_go_on()
  return kept
end

-- Sweep once. `tools`: `list(after)`: rows of orders that have ended and may have a
-- file, oldest first, from the one behind that id; `is_ours(row)`: the file would be
-- this gateway's; `announce(order_id)`: the file is about to go; `remove(path)`;
-- `mark(order_id)`: the ledger is to know that the file is gone; `may_go_on()`. Returns
-- `count`: of orders that have nothing on disk any more; `failure`: a sentence, the
-- first of what could not be done, or nil.
function _M.sweep(app, tools)
  local result = { count = 0 }
  local kept = clear_old(app, tools, result)
  local bytes, most = kept.bytes, app.settings.keep_bytes or math.huge
  for _, file in ipairs(kept) do
    if bytes <= most or not tools.may_go_on() then
      break
    elseif not file.is_spared and clear(tools, file, result) then
      bytes = bytes - file.bytes
    end
  end
  return result
end

-- Whether a file would be of this gateway, on this machine.
local function is_ours(app, row, machine)
  local path = orders.path_of(app, row.order_id)
  return (not row.machine or row.machine == machine)
    and (not row.path or row.path == records.path(path)
      or row.path == records.real(path))
end

local function tools_of(app, may_go_on)
  local context = contexts.of(app.client())
  local machine = context.ledger.machine()
  return {
    may_go_on = may_go_on,
    list = function(after)
      return context.ledger:requests { ended = true, after = after,
        limit = _M.policy.page }
    end,
    announce = order_feed.note_removal,
    remove = function(path)
      return context.runtime:disk("remove", path)
    end,
    mark = function(order_id)
      return context.ledger:removed(order_id)
    end,
    is_ours = function(row)
      return is_ours(app, row, machine)
    end,
  }
end

local function run(app)
  local dict, name = ngx.shared.starvideos_gateway, tostring(ngx.worker.pid())
  if not dict:add(KEY, name, _M.policy.lease) then
    return
  end
  local function may_go_on()
    return not ngx.worker.exiting() and dict:get(KEY) == name
      and dict:set(KEY, name, _M.policy.lease)
  end
  local ok, result = pcall(_M.sweep, app, tools_of(app, may_go_on))
  local failure = not ok and result or result.failure
  if failure and not ngx.worker.exiting() then
    ngx.log(ngx.ERR, "old videos could not be removed: ", tostring(failure))
  end
  if may_go_on() then
    dict:set(KEY, "rests", _M.policy.rest)
  elseif dict:get(KEY) == name then
    dict:delete(KEY)
  end
end

-- Sweep from time to time, for as long as this nginx worker runs.
function _M.begin(app)
  ngx.timer.every(_M.policy.look, function(premature)
    if not premature then
      run(app)
    end
  end)
end

return _M
