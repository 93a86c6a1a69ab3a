-- Workers on PostgreSQL behind PgBouncer: in session mode all is saved, in transaction
-- mode nothing is ordered and each worker says why.

local locations = require "starvideos.ledger.location"
local files = require "spec.fixtures.files"
local stages = require "spec.fleet.stage"

local _M = {}

local WORKERS = 4

local LONGEST = 240

-- One for each worker, for each that looks, and for whoever enqueues.
local POOL_SIZE = 2 * WORKERS + 1

local function order_of(number)
  local key = ("scene-%05d"):format(number)
  return { key = key, path = key .. ".mp4", model = "videos", duration = 4,
    prompt = key .. " a kite" }
end

local function work(stage, url)
  local settings = stage:write_settings {
    client = stage:client_options { ledger = url },
    work = { directory = stage.folder .. "/videos", interval = 0.4, max_interval = 0.8 },
  }
  local children = {}
  for index = 1, WORKERS do
    children[index] = stage:start_worker(settings)
  end
  return stage:join(children, LONGEST)
end

function _M.run(report, sizes)
  local orders = sizes.pooled
  local stage = stages.new { postgres = { connections = 60 },
    sandbox = { seconds = 0.5, queued_seconds = 0.1, memory = "64m" } }
  return stages.use(stage, function()
    stage:enqueue(orders, order_of)
    local url = stage.server:pool { pool_mode = "transaction" }
    report:print("pooler_transaction_refused", work(stage, url), "workers",
      ">= " .. WORKERS)
    report:print("pooler_transaction_sent", #stage:tasks(), "orders", "<= 0")
    local _, told = (files.read(stage.folder .. "/log") or ""):gsub(
      locations.misplaced.pooled.what:gsub("%p", "%%%0"), "")
    report:print("pooler_transaction_told", told, "workers", ">= " .. WORKERS)
    stage.server:stop_pooler()
    url = stage.server:pool { pool_mode = "session", default_pool_size = POOL_SIZE }
    report:print("pooler_session_failed", work(stage, url), "workers", "<= 0")
    local found = stage:compare()
    report:print("pooler_session_downloaded", found.downloaded, "orders",
      ">= " .. orders)
    report:print_none("pooler_session_", found,
      { "lost", "double", "broken", "unfinished", "unknown" }, "orders")
  end)
end

return _M
