-- Ways to break the ledger, by which torture shows that it would see one.

local _M = {}

-- Written down only after the answer has come.
local function late(ledger)
  local submitting, resolve, held = ledger.submitting, ledger.resolve, nil
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

-- What became of an order is not known, and so it is taken for refused.
local function rash(ledger)
  local resolve = ledger.resolve
  function ledger:resolve(row, state, changes)
    return resolve(self, row, state == "unknown" and "refused" or state,
      changes)
  end
end

local faults = { late = late, rash = rash }

--- Break every ledger that is made from here on.
-- @tparam ?string name nil leaves them whole
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
