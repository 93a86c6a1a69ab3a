--- Send an order of the queue that a worker has claimed: the request that was
-- stored with it, by the same way as any other order.
-- @module starvideos.fleet.queued_order

local errors = require "starvideos.errors"
local recorder = require "starvideos.order.recorder"
local send = require "starvideos.order.send"
local worker = require "starvideos.fleet.worker"

local _M = {}

local stops = { auth = true, config = true }

--- Whether other orders of the queue may be refused with the same error: the key is
-- wrong, the base URL, or the account has no money left.
-- @tparam table err
-- @treturn boolean
function _M.stops_queue(err)
  return stops[err.kind] or err.unpaid or false
end

--- The error of an order whose request is not in the ledger.
-- @tparam table row
-- @treturn table err
function _M.no_body(row)
  return errors.new { kind = "ledger", sent = false, message = ("the ledger holds"
    .. " no request for the order %s; nothing was sent: dismiss it, and enqueue it"
    .. " with another take"):format(row.order_key or row.order_id) }
end

--- Send an order, once.
-- @tparam table of_worker the worker that has claimed it
-- @tparam table row of the ledger, with `endpoint` and `body`
-- @tparam function stays whether it stays in the queue though it was refused
-- @treturn ?table task
-- @treturn ?table err
function _M.send(of_worker, row, stays)
  local context = of_worker.context
  local function check()
    if of_worker:may_act() then
      return true
    end
    return nil, worker.late()
  end
  local order = recorder.claimed(context, row, check, stays)
  return send(context, order, { endpoint = row.endpoint, body = row.body,
    process = context.process_id(), limit_timeout = 0, tries = 1 })
end

return _M
