-- Ways to break the ledger: torture must find each.

local _M = {}

-- Recorded only after the answer has come.
local function late(ledger)
  local submitting, resolve = ledger.submitting, ledger.resolve
  local held
  function ledger.submitting(_, row)
    held = row
    return row
  end
  function ledger:resolve(row, ...)
    row = held and submitting(self, held) or row
    held = nil
    return resolve(self, row, ...)
  end
end

-- An order of unknown outcome is recorded as refused.
local function rash(ledger)
  local resolve = ledger.resolve
  function ledger:resolve(row, state, changes)
    return resolve(self, row, state == "unknown" and "refused" or state,
      changes)
  end
end

local faults = { late = late, rash = rash }

--- Break every ledger that is made from now on.
-- @tparam ?string name nil: none
function _M.bring(name)
  local fault = name and assert(faults[name], "no such fault: " .. name)
  local ledgers = require "starvideos.ledger"
  local new = ledgers.new
  ledgers.new = function(options)
    local ledger = new(options)
    if fault then
      fault(ledger)
    end
    return ledger
  end
end

return _M
