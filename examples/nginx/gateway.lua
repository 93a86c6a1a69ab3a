-- What nginx.conf calls: one function for each location.
-- luacheck: globals ngx
local disk, json = require "starvideos.runtime.disk", require "starvideos.json"
local starvideos = require "starvideos"

local _M, known, ledger = {}, ngx.shared.starvideos, os.getenv "STARVIDEOS_LEDGER"
local FRESH, HEARTBEAT, SAVE_SECONDS, PATIENCE = 5, 15, 600, 60
local POLL = tonumber(os.getenv "POLL_SECONDS") or 30
local client = starvideos.assert(starvideos.new { shared = known, ledger = ledger,
  api_key = os.getenv "STARVIDEOS_API_KEY", base_url = os.getenv "STARVIDEOS_BASE_URL",
  transport = os.getenv "STARVIDEOS_TRANSPORT" })

-- Anything else, which the caller cannot change, is 502.
local STATUS = { bad_request = 400, not_found = 404, not_ready = 409, expired = 410,
  validation = 422, invalid_request = 422, ledger = 503, rate_limited = 503,
  cancelled = 503, timeout = 504 }

local function answer(status, value)
  ngx.status, ngx.header.cache_control = status, "no-store"
  ngx.say(json.encode(value))
  return true
end

local function shown(err)
  return { error = { kind = err.kind, message = err.message,
    violations = err.violations, task_id = err.task_id } }
end

local function fail(err)
  ngx.header.retry_after = err.retry_after and math.ceil(err.retry_after)
  return answer(STATUS[err.kind] or 502, shown(err))
end

-- The signed link stays here: callers get the file from us.
local function public(task)
  return { id = task.id, status = task.status, progress = task.progress,
    created = task.created, model = task.model, error = task.error,
    file = task.status == "completed" and "/videos/" .. task.id .. "/file" or nil }
end

function _M.refused()
  answer(ngx.status, shown { kind = "refused", message = "HTTP " .. ngx.status })
end

-- Whether a request is one of those that a location is for.
local function allows(methods)
  if methods:find(ngx.req.get_method(), 1, true) then return true end
  ngx.header.allow = methods
  answer(405, shown { kind = "refused", message = "send " .. methods })
end

-- curl, SDKs and proxies retry 408, 409, 425, 429 and 5xx automatically. They must
-- not retry what may have been bought.
local function may_be_bought(err)
  ngx.header["X-Should-Retry"] = "false"
  return answer(424, shown(err))
end

function _M.order()
  if not allows "POST" then return end
  if (ngx.var.content_type or ""):lower():match "^[^;%s]*" ~= "application/json" then
    return answer(415, shown { kind = "bad_request", message = -- a page of any origin can
      "send Content-Type: application/json; nothing was ordered" }) -- send other types
  end
  ngx.req.read_body()
  local params, key = json.decode(ngx.req.get_body_data() or ""), ngx.var.http_idempotency_key
  if type(params) ~= "table" then
    return fail { kind = "bad_request", message = "send a JSON object; nothing was ordered" }
  elseif key and not (ledger and key:find "^[%w_.:-]+$") then
    return fail { kind = "bad_request", message = ledger
      and "Idempotency-Key may have letters, digits and _.:- only; nothing was ordered"
      or "Idempotency-Key needs a ledger (STARVIDEOS_LEDGER); nothing was ordered" }
  end
  local task, err = client:create(params, { key = key })
  ngx.header.location = task and "/videos/" .. task.id
  if task then return answer(202, public(task)) end
  local repeated = (STATUS[err.kind] or 502) >= 500
  local may_be = err.kind == "outcome_unknown" or err.task_id and repeated
  return (may_be and may_be_bought or fail)(err)
end

function _M.query(id)
  if not allows "GET, HEAD" then return end
  local task, err = client:query(id, { max_age = FRESH })
  return task and answer(200, public(task)) or fail(err)
end

-- In a timer, so that it does not end with the caller who asked first.
local function save(_, id, path)
  local _, err = client:download(id, path, { timeout = SAVE_SECONDS })
  if err then
    err.kind = err.kind == "timeout" and err.task and "not_ready" or err.kind
    known:set("failed " .. id, json.encode(shown(err).error), 2)
  end
  known:delete("saving " .. id)
end

function _M.file(id)
  if not allows "GET, HEAD" then return end
  local path, began = ngx.config.prefix() .. "saved/" .. id .. ".mp4", ngx.now()
  while not disk.size(path) do
    local failed = known:get("failed " .. id)
    if failed or ngx.now() - began > PATIENCE then
      return fail(failed and json.decode(failed) or { kind = "cancelled",
        message = "the video is still being downloaded; ask again", retry_after = 10 })
    elseif known:add("saving " .. id, true, SAVE_SECONDS + 60) then
      ngx.timer.at(0, save, id, path)
    end
    ngx.sleep(0.1)
  end
  return ngx.exec("/saved/" .. id .. ".mp4")
end

local function send(text) return ngx.print(text) and ngx.flush(true) end

local function send_event(name, value)
  return send(("event: %s\ndata: %s\n\n"):format(name, json.encode(value)))
end

-- The wait ends with its caller; the task goes on.
function _M.events(id)
  if not allows "GET" then return end
  local heart = ngx.thread.spawn(function() -- for proxies that close what is silent
    while send(": still here\n\n") do ngx.sleep(HEARTBEAT) end
  end)
  local task, err = client:wait(id, { interval = POLL, first_poll = 0,
    on_progress = function(seen) send_event("progress", public(seen)) end })
  ngx.thread.kill(heart)
  return send_event(task and "done" or "failed", task and public(task) or shown(err))
end

return _M
