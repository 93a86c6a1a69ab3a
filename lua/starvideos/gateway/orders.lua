-- The orders of a caller, over the ledger: what both dialects show and change.
--
-- An entry is an order as a caller may see it: `id`, `order_id`, `model`, `params` (the
-- fields that were ordered, by the provider's names), `status` (queued, in_progress,
-- completed, failed), `progress` (0 to 100), `created_at`, `completed_at`, `expires_at`
-- (Unix seconds, whole), `error` (`code`, `message`), `bytes`, `cost`, `currency`; and
-- what callers do not see: `file` (its path), `is_removed` (whether that was removed).

local c_locale = require "starvideos.base.c_locale"
local callers = require "starvideos.gateway.callers"
local contexts = require "starvideos.context"
local enqueue = require "starvideos.fleet.enqueue"
local errors = require "starvideos.errors"
local limit_kinds = require "starvideos.ledger.limit_kinds"
local order_feed = require "starvideos.gateway.order_feed"
local records = require "starvideos.ledger.record"
local requests = require "starvideos.gateway.request"

local _M = {}

local DAY = 86400

local PREFIX = "video_"

local statuses = { staged = "queued", queued = "queued", prepared = "queued",
  submitting = "queued", accepted = "in_progress", completed = "in_progress",
  downloaded = "completed" }

-- Of an order that failed, by its state.
local failures = {
  failed = "task_failed",
  cancelled = "cancelled",
  refused = "invalid_request",
  abandoned = "cancelled",
  unknown = "outcome_unknown",
}

-- What a caller is told: the words of the provider may name the operator's account,
-- and those of a limit its totals. They stand in the ledger.
local sentences = {
  task_failed = "the provider made no video of this order: change its prompt or its"
    .. " references, or ask whoever runs the gateway, who finds the reason by this"
    .. " id",
  invalid_request = "this order was refused, and nothing was bought: change its"
    .. " prompt or its references, or ask whoever runs the gateway, who finds the"
    .. " reason by this id",
  outcome_unknown = "it is not known whether the provider took this order, which"
    .. " may have been paid; it was not sent again: ask whoever runs the gateway"
    .. " before you order it again",
  cancelled = "the order was cancelled",
}

local function error_of(order)
  local code = failures[order.state]
  return code and { code = code, message = sentences[code] } or nil
end

-- The progress of an order that is not known to have one.
local progress_of = { completed = 100, queued = 0, failed = 0 }

-- The name of an order's video below the folder of all. A folder has the orders of a
-- second, and of every 256th before it: the end of an id is the same for all orders of
-- a process.
function _M.name_of(order_id)
  return ("%s/%s.mp4"):format(order_id:sub(7, 8), order_id)
end

-- Where the video of an order lies, or will.
function _M.path_of(app, order_id)
  return app.folder .. "/files/" .. _M.name_of(order_id)
end

-- When the video of an order is removed. Returns Unix seconds; nil: it is kept, or is
-- not there yet.
function _M.expires_at(app, completed_at)
  local keep = app.settings.keep_days
  return completed_at and keep and completed_at + keep * DAY or nil
end

-- The entry of a row of the ledger.
function _M.entry_of(app, row)
  local order = records.order(row)
  local status = statuses[order.state] or "failed"
  local ended = status == "completed" and math.floor(row.closed_at) or nil
  return {
    id = PREFIX .. order.id,
    order_id = order.id,
    model = order.model,
    params = order.params or {},
    status = status,
    progress = progress_of[status] or order_feed.progress(order.id) or 0,
    created_at = order.created_at,
    completed_at = ended,
    expires_at = _M.expires_at(app, ended),
    error = error_of(order),
    bytes = order.bytes,
    cost = order.cost,
    currency = order.currency,
    file = _M.path_of(app, order.id),
    is_removed = order.removed_at ~= nil,
  }
end

local function context_of(app, caller)
  return contexts.of(app.client(caller.name))
end

-- A sentence about each bar that a caller meets; see
-- `starvideos.ledger.requests`.
local bars = {}

function bars.open(bar)
  return { status = 429, code = "rate_limit_exceeded",
    message = ("%d of your orders have not ended, and %d is the most; nothing was"
      .. " ordered: order again when one has ended"):format(bar.used, bar.cap),
    retry_after = bar.retry_after }
end

function bars.orders_per_minute(bar)
  return { status = 429, code = "rate_limit_exceeded",
    message = ("you may place %d orders a minute; nothing was ordered: order again"
      .. " in %d seconds"):format(bar.cap, bar.retry_after),
    retry_after = bar.retry_after }
end

function bars.spend(bar)
  local money = limit_kinds.money
  if not bar.is_own then
    return { status = 429, code = "insufficient_quota", retry = false,
      message = "the gateway may spend no more now; nothing was ordered: "
        .. (bar.retry_after and "a new day begins at midnight UTC"
        or "ask whoever runs it"), retry_after = bar.retry_after }
  end
  return { status = 429, code = "insufficient_quota", retry = false,
    message = ("this order would spend more than %s, of which %s is spent or"
      .. " ordered; nothing was ordered: %s"):format(
      money(bar.cap, bar.currency), money(bar.used), bar.retry_after
      and "a new day begins at midnight UTC"
      or "ask whoever runs the gateway for more"),
    retry_after = bar.retry_after }
end

function bars.unpriced()
  return { status = 400, code = "unpriced", param = "model",
    message = "this order has no price, so that it cannot be held against what"
      .. " may be spent; nothing was ordered: choose another model, or ask whoever"
      .. " runs the gateway for a price" }
end

function bars.halt()
  return { status = 503, code = "upstream_unavailable", retry_after = 60,
    message = "the gateway's account cannot order now; nothing was ordered:"
      .. " whoever runs the gateway finds the reason in its error log" }
end

local function conflict()
  return requests.refusal { status = 409, code = "idempotency_conflict",
    retry = false, message = "an order of this Idempotency-Key is there, with"
      .. " other parameters; nothing was ordered: take another key for another"
      .. " order" }
end

-- Errors after which the order may be in the ledger: only the answer is lost.
local uncertain = { ledger = true, cancelled = true }

-- Not 503: programs repeat that, and without a key that is another order.
local function not_known()
  return requests.refusal { status = 507, code = "outcome_unknown",
    message = "the orders cannot be written now, and it is not known whether this"
      .. " one was: look for it among yours, or repeat it with the same"
      .. " Idempotency-Key, before you order it again" }
end

-- Place an order, or find the one that it repeats. `wanted`: `params`; `key`, `attempt`
-- and `began`, or nil; see `starvideos.ledger.requests`.
function _M.place(app, caller, wanted)
  local ok, err = callers.hold_cap(app, caller)
  local found
  if ok then
    found, err = enqueue.admit(context_of(app, caller), wanted.params, {
      key = wanted.key, attempt = wanted.attempt, began = wanted.began,
      terms = caller.limits })
  end
  if ok and not found and uncertain[err.kind] and not err.misplaced then
    return nil, not_known()
  elseif not found then
    return nil, requests.refusal_of(errors.is(err) and err or { kind = "internal" })
  elseif found.verdict == "conflict" then
    return nil, conflict()
  elseif found.verdict == "barred" then
    return nil, requests.refusal(bars[found.limit](found))
  elseif found.verdict == "new" then
    order_feed.note(found.row.order_id, { state = "queued" })
    if app.control then
      app.control.wake()
    end
  end
  local entry = _M.entry_of(app, found.row)
  entry.params = next(entry.params) and entry.params or wanted.params -- deleted
  return entry
end

local function rows_of(app, caller, filter)
  filter.account = caller.name
  local rows, err = context_of(app, caller).ledger:requests(filter)
  return rows, err and requests.refusal_of(err)
end

-- The order's id in a gateway's.
local function order_id_of(id)
  local digits = id:match("^" .. PREFIX .. "(%x+)$")
  return digits and #digits == 32 and c_locale.lower(digits) or nil
end

-- Find an order. Returns refusal: 404 where it is not the caller's, too.
function _M.find(app, caller, id)
  local order_id = order_id_of(id)
  if not order_id then
    return nil, requests.not_found()
  end
  local rows, refusal = rows_of(app, caller, { ids = { order_id }, limit = 1 })
  if not rows then
    return nil, refusal
  elseif not rows[1] then
    return nil, requests.not_found()
  end
  return _M.entry_of(app, rows[1])
end

-- The status of each of some orders, of whichever caller. `order_ids`: a list of 512 at
-- most. Returns status by order id, none of orders that are gone; nil where the ledger
-- cannot be read.
function _M.statuses(app, order_ids)
  local found = contexts.of(app.client()).ledger:states(order_ids)
  for order_id, state in pairs(found or {}) do
    found[order_id] = statuses[state] or "failed"
  end
  return found
end

-- A page of orders. `page`: `limit`, `after` (an id, or nil), `order` (`asc`, `desc`).
-- Returns list of entries, and whether there are more; or a refusal.
function _M.list(app, caller, page)
  local after
  if page.after then
    after = order_id_of(page.after)
    if not after then
      return nil, requests.not_found()
    end
  end
  local rows, refusal = rows_of(app, caller, { after = after,
    limit = page.limit + 1, descending = page.order ~= "asc" })
  if not rows then
    return nil, refusal
  end
  local list = {}
  for index = 1, math.min(#rows, page.limit) do
    list[index] = _M.entry_of(app, rows[index])
  end
  return list, #rows > page.limit
end

-- Delete an order that has ended, or that still waits in the queue: its entry, its
-- prompt, and its file. Returns entry as it was.
function _M.delete(app, caller, id)
  local entry, refusal = _M.find(app, caller, id)
  if not entry then
    return nil, refusal
  end
  local context = context_of(app, caller)
  local deleted, err = context.ledger:delete_request(entry.order_id)
  if deleted == false and (entry.status == "queued"
    or entry.status == "in_progress") then
    return nil, requests.refusal { status = 409, code = "video_running",
      retry = false, message = "the video is still being made, and no order can"
        .. " be taken back: delete it when it has ended" }
  elseif not deleted then
    return nil, err and requests.refusal_of(err) or requests.not_found()
  end
  order_feed.note(entry.order_id, { state = "deleted" })
  context.runtime:disk("remove", entry.file)
  return entry
end

local MAX_KEY = 255

-- Which order a create repeats, as its head says. Returns `key` (the caller's own of
-- the order, or nil), `attempt` (how often the client has tried before, or nil),
-- `began` (Unix seconds, of the request).
function _M.idempotency(request)
  local key = request.header "Idempotency-Key"
  if key and (key == "" or #key > MAX_KEY or key:find "[^\32-\126]") then
    return nil, requests.refusal { status = 400, code = "invalid_value",
      param = "Idempotency-Key", message = ("Idempotency-Key must be 1 to %d"
        .. " characters of ASCII; nothing was ordered"):format(MAX_KEY) }
  end
  local attempt = request.header "X-Stainless-Retry-Count"
  if attempt and not attempt:find "^%d%d?%d?$" then -- else it were a new order
    return nil, requests.refusal { status = 400, code = "invalid_value",
      param = "X-Stainless-Retry-Count", message = "X-Stainless-Retry-Count must"
        .. " be a whole number of 3 digits at most; nothing was ordered" }
  end
  return { key = key, attempt = tonumber(attempt), began = request.began }
end

return _M
