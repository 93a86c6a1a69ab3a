--- The states of an order, as one table: what may follow what.
--
--     prepared -> submitting -> accepted -> completed -> downloaded
--
-- An order that was sent and whose fate nobody knows is `unknown`: its process
-- died, or its answer was lost. Nothing leads from there back to the wire; a
-- late answer makes it `accepted`, a person's decision `abandoned`. A task's
-- id is always taken: an answer that comes after its order was thought not to
-- have arrived makes it `accepted` too.
-- @module starvideos.ledger.states

local _M = {}

-- Each state: whether something is still to be done about it, and what may
-- follow.
local states = {
  prepared = { true, { "prepared", "submitting", "accepted", "failed",
    "cancelled", "refused", "abandoned" } },
  submitting = { true, { "prepared", "accepted", "failed", "cancelled",
    "refused", "unknown" } },
  accepted = { true, { "completed", "failed", "cancelled", "downloaded",
    "abandoned" } },
  completed = { true, { "completed", "downloaded", "failed", "cancelled",
    "abandoned" } },
  unknown = { true, { "accepted", "completed", "failed", "cancelled",
    "downloaded", "abandoned" } },
  downloaded = { false, {} },
  failed = { false, { "abandoned" } },
  cancelled = { false, { "abandoned" } },
  refused = { false, { "prepared", "accepted", "failed", "cancelled",
    "abandoned" } },
  abandoned = { false, { "abandoned" } },
}

local follows = {}
for name, row in pairs(states) do
  follows[name] = {}
  for _, next_name in ipairs(row[2]) do
    follows[name][next_name] = true
  end
end

--- Whether an order may go from one state to another.
-- @tparam string from
-- @tparam string to
-- @treturn boolean
function _M.allows(from, to)
  return follows[from] ~= nil and follows[from][to] == true
end

--- Whether something is still to be done about an order: to send it, to wait
-- for it, to download it or to decide about it.
-- @tparam string name
-- @treturn boolean
function _M.is_open(name)
  return states[name] ~= nil and states[name][1]
end

return _M
