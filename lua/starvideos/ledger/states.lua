-- The states of an order, as one table: what may follow what.
--
--     prepared -> submitting -> accepted -> completed -> downloaded
--     staged -> queued -> submitting
--
-- `queued` orders are sent by a worker, or by whoever creates them by their key.
-- `staged` ones belong to a batch that has not been enqueued as a whole yet.
-- An order that was sent and whose outcome is not known is `unknown`: its process
-- ended, or its answer was lost. From there it is never sent again; a late answer
-- makes it `accepted`, a person's decision `abandoned`. A task's id is always
-- recorded: an answer to an order that had counted as not accepted makes it
-- `accepted`, too.

local _M = {}

-- Each state: whether the order is open, and which states may follow.
local states = {
  staged = { false, { "staged", "queued", "prepared", "refused",
    "abandoned" } },
  queued = { true, { "queued", "prepared", "submitting", "accepted", "failed",
    "cancelled", "refused", "abandoned" } },
  prepared = { true, { "prepared", "queued", "submitting", "accepted", "failed",
    "cancelled", "refused", "abandoned" } },
  submitting = { true, { "prepared", "queued", "accepted", "failed",
    "cancelled", "refused", "unknown" } },
  accepted = { true, { "completed", "failed", "cancelled", "downloaded",
    "abandoned" } },
  completed = { true, { "completed", "downloaded", "failed", "cancelled",
    "abandoned" } },
  unknown = { true, { "accepted", "completed", "failed", "cancelled",
    "downloaded", "abandoned" } },
  downloaded = { false, {} },
  failed = { false, { "abandoned" } },
  cancelled = { false, { "abandoned" } },
  refused = { false, { "prepared", "staged", "accepted", "failed", "cancelled",
    "abandoned" } },
  abandoned = { false, { "abandoned" } },
}

-- The names of all states, in the order of an order's life.
_M.names = { "staged", "queued", "prepared", "submitting", "unknown", "accepted",
  "completed", "downloaded", "failed", "cancelled", "refused", "abandoned" }

local follows = {}
for name, row in pairs(states) do
  follows[name] = {}
  for _, next_name in ipairs(row[2]) do
    follows[name][next_name] = true
  end
end

-- Whether an order may go from one state to another.
function _M.allows(from, to)
  return follows[from] ~= nil and follows[from][to] == true
end

-- Whether there is a state of that name.
function _M.is_state(name)
  return states[name] ~= nil
end

-- Whether an order is open: it is still to be sent, waited for, downloaded or decided
-- about.
function _M.is_open(name)
  return states[name] ~= nil and states[name][1]
end

return _M
