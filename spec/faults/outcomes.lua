--- What an operation must come to: of `create` a table, of the others the kind
-- of the error, or "done". `tries` are connections, `posts` those of them on
-- which a POST arrived; `phase` is how far the exchange had come. Where versions
-- of libcurl differ, words stand side by side: "answer|body".

local _M = {}

local function merged(base, more)
  local all = {}
  for _, source in ipairs { base, more or {} } do
    for name, value in pairs(source) do
      all[name] = value
    end
  end
  return all
end

_M.merged = merged

--- Nothing of the request left this machine: an order may be sent again.
_M.unsent = {
  create = { kind = "network", sent = false, phase = "connect", posts = 0,
    tries = 3 },
  query = "network",
  wait = "done",
  download = "network",
}

--- Whether the request still went out is a race that either side may win.
_M.race = {
  create = { kind = "network|outcome_unknown", posts = 0 },
  query = "network",
  wait = "done",
  download = "network",
}

--- The request went out, and no answer came that could be read.
-- @tparam string phase
-- @tparam[opt="network"] string query
-- @tparam[opt] string download as `query`, if nothing else is said
-- @tparam[opt] number status
function _M.unknown(phase, query, download, status)
  return {
    create = { kind = "outcome_unknown", sent = true, phase = phase,
      status = status, posts = 1, tries = 1 },
    query = query or "network",
    wait = "done",
    download = download or query or "network",
  }
end

--- Enough of the answer came, or it could be read though it was malformed.
-- @tparam[opt] string download
function _M.read(download)
  return { create = { posts = 1, tries = 1 }, query = "done", wait = "done",
    download = download }
end

--- The request went out, and what came back names a task and does not say whether
-- it was accepted: as `unknown`.
function _M.named(...)
  local outcome = _M.unknown(...)
  outcome.create.names_task = true
  return outcome
end

--- A whole answer that leaves the fate of an order open.
-- @tparam number status
-- @tparam string query
-- @tparam[opt] string download
function _M.unclear(status, query, download)
  return _M.unknown("body", query, download, status)
end

--- A whole answer that refuses.
-- @tparam number status
-- @tparam string create
-- @tparam string query
-- @tparam[opt=query] string wait
-- @tparam ?string download
function _M.refused(status, create, query, wait, download)
  return {
    create = { kind = create, sent = true, phase = "body", status = status,
      posts = 1, tries = 1 },
    query = query,
    wait = wait or query,
    download = download,
  }
end

--- The part of an outcome that is about orders.
function _M.of_order(outcome)
  return { create = outcome.create }
end

--- The part of an outcome that is about everything else.
function _M.of_reading(outcome)
  local rest = merged(outcome)
  rest.create = nil
  return rest
end

return _M
