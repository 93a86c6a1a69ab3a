-- What the gateway has counted, over all nginx workers, as the text that Prometheus
-- reads. Counters lie in a shared dictionary under their names with their labels, as
-- that text has them. And whether it can order and save: what `/healthz` says. No
-- request asks the ledger for that; one nginx worker does, now and then, for all.

local access = require "starvideos.gateway.access"
local c_locale = require "starvideos.base.c_locale"
local contexts = require "starvideos.context"
local json = require "starvideos.base.json"
local requests = require "starvideos.gateway.request"

local _M = {}

-- Of its health, in seconds.
_M.policy = {
  look = 1, -- between two questions to the ledger
  answer = 5, -- for which one is waited for before another asks
  ledger = 4, -- after which an answer of the ledger says nothing any more
  retry = 5, -- after which whoever asked is to ask again
  worker = 10, -- the same of a sign of life of a worker
  sums = 10, -- for which the sums of the ledger stand, in all nginx workers
  share = 20, -- or so many times as long as it took to add them up
}

local function shared()
  return ngx.shared.starvideos_gateway
end

-- Why the whole queue has stopped: the kind of an error.
local function halt_of(gates, base_url)
  for _, gate in ipairs(gates) do
    if gate.halted and gate.account == "" and gate.base_url == base_url then
      return gate.halted.kind
    end
  end
end

local function ask(app)
  local context = contexts.of(app.client())
  local gates = context.ledger:probe()
  if not gates then
    shared():delete "ledger"
    return
  end
  local halted = halt_of(gates, context.base_url)
  shared():set("ledger", true, _M.policy.ledger)
  if halted then
    shared():set("halted", halted)
  else
    shared():delete "halted"
  end
end

-- Say that the worker of an nginx worker is at work, where it is; to be called about
-- every second.
function _M.beat(app)
  if app.control and app.control.is_alive() then
    shared():set("alive " .. ngx.worker.id(), true, _M.policy.worker)
  end
end

-- Ask the ledger, where nobody has done so a moment ago; to be called about every
-- second by each nginx worker.
function _M.look(app)
  if shared():add("looked", true, _M.policy.answer) then
    ask(app)
    shared():set("looked", true, _M.policy.look)
  end
end

-- What is known now. Returns `ledger` (whether it answers), `workers` (how many are at
-- work), `halted` (why the queue has stopped, the kind of an error, or nil).
function _M.seen()
  local count = 0
  for id = 0, ngx.worker.count() - 1 do
    count = count + (shared():get("alive " .. id) and 1 or 0)
  end
  return { ledger = shared():get "ledger" == true, workers = count,
    halted = shared():get "halted" }
end

-- What that means. Returns status of HTTP, and answer: `status`, and `reasons`, each
-- with `code` and `message`.
function _M.verdict(seen)
  local reasons = {}
  local function add(code, message)
    reasons[#reasons + 1] = { code = code, message = message }
  end
  if not seen.ledger then
    add("ledger", "the ledger does not answer; nothing can be ordered")
  end
  if seen.workers == 0 then
    add("workers", "no worker is at work; what was ordered waits")
  end
  if seen.halted then
    add("halted", ("the queue has stopped (%s), and the error log says why: see to"
      .. " that, and reload the gateway (HUP)"):format(seen.halted))
  end
  if reasons[1] then
    return 503, { status = "unavailable", reasons = reasons }
  end
  return 200, { status = "ok" }
end

-- Answer `GET /healthz`.
function _M.healthz()
  local status, value = _M.verdict(_M.seen())
  return status, value, { ["Retry-After"] = status == 503
    and _M.policy.retry or nil }
end

local PREFIX = "starvideos_gateway_"

-- Seconds of an exchange with the provider.
local BUCKETS = { 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60 }

-- Seconds for which a worker's count of its streams stands.
local STREAMS_SECONDS = 10

local STREAMS = "open_streams of "

-- All there are, in their order: name, type and meaning.
_M.families = {
  { "orders", "gauge", "Orders in the ledger, by state." },
  { "queue_depth", "gauge", "Orders that wait to be sent." },
  { "spend", "gauge", "What was spent in all, by currency." },
  { "upstream_requests_total", "counter", "Requests to the provider, by operation"
    .. " and status of HTTP (none: no answer came)." },
  { "upstream_request_seconds", "histogram",
    "Seconds until the end of an answer of the provider, by operation." },
  { "polls_total", "counter", "Requests for the state of a task." },
  { "http_requests_total", "counter",
    "Requests of callers, by route and status of HTTP." },
  { "open_streams", "gauge", "Callers that listen for events." },
  { "workers", "gauge", "nginx workers that send and save orders." },
  { "ledger_up", "gauge", "Whether the ledger answers." },
  { "queue_halted", "gauge", "Whether the queue has stopped, by the kind of the"
    .. " error." },
}

local escapes = { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }

-- The name of a series. `...`: names of labels, each with its value behind it.
function _M.series(name, ...)
  local labels = {}
  for index = 1, select("#", ...), 2 do
    local label, value = select(index, ...)
    labels[#labels + 1] = ('%s="%s"'):format(label, (type(value) == "number"
      and c_locale.number("%.14g", value) or value:gsub('[\\"\n]', escapes)))
  end
  return name .. (labels[1] and "{" .. table.concat(labels, ",") .. "}" or "")
end

local function counted()
  return ngx.shared.starvideos_gateway_metrics
end

local function add(count, ...)
  counted():incr(_M.series(...), count, 0)
end

local function observe(seconds, operation)
  local name = "upstream_request_seconds"
  for _, bound in ipairs(BUCKETS) do
    if seconds <= bound then
      add(1, name .. "_bucket", "operation", operation, "le", bound)
    end
  end
  add(1, name .. "_bucket", "operation", operation, "le", "+Inf")
  add(1, name .. "_count", "operation", operation)
  add(seconds, name .. "_sum", "operation", operation)
end

-- Count a request to the provider. `event`: `exchange` of `starvideos.events`.
function _M.exchange(event)
  local operation = event.operation
  add(1, "upstream_requests_total", "operation", operation,
    "status", event.status or "none")
  observe(event.elapsed or 0, operation)
  if operation == "query" then
    add(1, "polls_total")
  end
end

-- Count a request of a caller. `route`: its label; nil or empty: of none.
function _M.request(route, status)
  add(1, "http_requests_total", "route", route ~= "" and route or "other",
    "status", status)
end

local streams = 0

-- A caller begins to listen for events, or ends. `change`: 1 or -1.
function _M.stream(change)
  streams = streams + change
  _M.tick()
end

--- Say that the streams of this nginx worker are still open; to be called about
-- every second.
function _M.tick()
  counted():set(STREAMS .. ngx.worker.pid(), streams, STREAMS_SECONDS)
end

-- The sums of the ledger, which has to read all of its orders for them. Where they are
-- old one request adds them up again, and others get the old ones meanwhile.
local function sums_of(app)
  local policy, kept = _M.policy, shared():get "sums"
  if kept and not shared():add("sums stand", true, policy.sums) then
    return json.decode(kept)
  end
  local began = ngx.now()
  local status = app.client():status()
  ngx.update_time()
  if not status then
    shared():delete "sums stand"
    return nil
  end
  local sums = { states = status.states, spend = status.spend }
  shared():set("sums", json.encode(sums))
  shared():set("sums stand", true,
    math.max(policy.sums, policy.share * (ngx.now() - began)))
  return sums
end

-- What was counted, and what can be seen now.
local function gather(app)
  local dictionary, values = counted(), { open_streams = 0 }
  for _, key in ipairs(dictionary:get_keys(0)) do
    local name = key:find(STREAMS, 1, true) == 1 and "open_streams" or key
    values[name] = (values[name] or 0) + (dictionary:get(key) or 0)
  end
  local seen = _M.seen()
  local status = seen.ledger and sums_of(app) -- else that takes long
  values.workers, values.ledger_up = seen.workers, status and 1 or 0
  values[_M.series("queue_halted", "kind", seen.halted or "none")] =
    seen.halted and 1 or 0
  for state, count in pairs(status and status.states or {}) do
    values[_M.series("orders", "state", state)] = count
  end
  values.queue_depth = status and (status.states.queued or 0) or nil
  for currency, spend in pairs(status and status.spend or {}) do
    values[_M.series("spend", "currency", currency)] = spend.total
  end
  return values
end

-- Of a series: its family, and by what it is sorted there.
local function place_of(series)
  local name, labels = series:match "^([%w_]+)(.*)$"
  local bound = labels:match 'le="([^"]*)"'
  local family = name:gsub("_bucket$", ""):gsub("_count$", "")
    :gsub("_sum$", "")
  return family, ("%s %s %s"):format(labels:gsub(',?le="[^"]*"', ""), name,
    c_locale.number("%020.6f", bound == "+Inf" and 1e12 or c_locale.tonumber(bound) or 0))
end

local function number(value)
  return value == math.floor(value) and ("%.0f"):format(value)
    or c_locale.number("%.6f", value)
end

-- The text of some values. `values`: numbers, by their series.
function _M.text(values)
  local of_family, lines = {}, {}
  for series, value in pairs(values) do
    local family, place = place_of(series)
    of_family[family] = of_family[family] or {}
    table.insert(of_family[family], { place = place,
      line = PREFIX .. series .. " " .. number(value) })
  end
  for _, family in ipairs(_M.families) do
    local name, list = family[1], of_family[family[1]] or {}
    table.sort(list, function(a, b) return a.place < b.place end)
    lines[#lines + 1] = ("# HELP %s%s %s"):format(PREFIX, name, family[3])
    lines[#lines + 1] = ("# TYPE %s%s %s"):format(PREFIX, name, family[2])
    for _, one in ipairs(list) do
      lines[#lines + 1] = one.line
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Answer `GET /metrics`, to who asks on this machine. Returns true, where it was sent.
function _M.run(app, request)
  if not access.is_of_this_machine(request) then
    return nil, requests.refusal { status = 404, code = "not_found",
      message = "there is nothing at this address" }
  end
  local text = _M.text(gather(app))
  ngx.header["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8"
  ngx.header["Cache-Control"] = "no-store"
  ngx.header["X-Content-Type-Options"] = "nosniff"
  ngx.header["Content-Length"] = #text
  ngx.print(text)
  return true
end

return _M
