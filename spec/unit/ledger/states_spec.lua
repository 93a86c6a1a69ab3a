local states = require "starvideos.ledger.states"

local names = { "staged", "queued", "prepared", "submitting", "accepted", "completed",
  "downloaded", "failed", "cancelled", "unknown", "refused", "abandoned" }

-- One line for each state, one column for each that may follow, in the order
-- of the names.
local allowed = {
  --            sta que pre sub acc com dow fai can unk ref aba
  staged     = "x   x   x   -   -   -   -   -   -   -   x   x",
  queued     = "-   x   x   x   x   -   -   x   x   -   x   x",
  prepared   = "-   x   x   x   x   -   -   x   x   -   x   x",
  submitting = "-   x   x   -   x   -   -   x   x   x   x   -",
  accepted   = "-   -   -   -   -   x   x   x   x   -   -   x",
  completed  = "-   -   -   -   -   x   x   x   x   -   -   x",
  downloaded = "-   -   -   -   -   -   -   -   -   -   -   -",
  failed     = "-   -   -   -   -   -   -   -   -   -   -   x",
  cancelled  = "-   -   -   -   -   -   -   -   -   -   -   x",
  unknown    = "-   -   -   -   x   x   x   x   x   -   -   x",
  refused    = "x   -   x   -   x   -   -   x   x   -   -   x",
  abandoned  = "-   -   -   -   -   -   -   -   -   -   -   x",
}

describe("an order", function()
  for _, from in ipairs(names) do
    local column = 0
    for mark in allowed[from]:gmatch "%S" do
      column = column + 1
      local to, may = names[column], mark == "x"
      it(("that is %s %s become %s"):format(from, may and "may" or "may not",
        to), function()
        assert.equal(may, states.allows(from, to))
      end)
    end
  end

  it("is sent from prepared and from queued alone", function()
    for _, from in ipairs(names) do
      assert.equal(from == "prepared" or from == "queued", states.allows(from, "submitting"))
    end
  end)

  -- However many steps are taken.
  local function reachable(from)
    local seen, queue = {}, { from }
    while queue[1] do
      local name = table.remove(queue)
      for _, to in ipairs(names) do
        if states.allows(name, to) and not seen[to] then
          seen[to] = true
          queue[#queue + 1] = to
        end
      end
    end
    return seen
  end

  for _, bought in ipairs { "accepted", "completed", "downloaded", "failed",
    "cancelled", "unknown", "abandoned" } do
    it(("that is %s is never sent again by any way"):format(bought),
      function()
        local seen = reachable(bought)
        assert.is_nil(seen.submitting)
        assert.is_nil(seen.prepared)
      end)
  end

  it("is open where something is still to be done about it", function()
    local open = {}
    for _, name in ipairs(names) do
      open[#open + 1] = states.is_open(name) and name or nil
    end
    assert.same({ "queued", "prepared", "submitting", "accepted", "completed",
      "unknown" }, open)
  end)

  it("has no state beyond these", function()
    assert.is_false(states.allows("prepared", "bought"))
    assert.is_false(states.allows("bought", "prepared"))
    assert.is_false(states.is_open "bought")
  end)
end)
