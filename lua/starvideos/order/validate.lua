-- Check a request against the catalog, before anything is sent.

local bodies = require "starvideos.provider.body"
local errors = require "starvideos.errors"

local _M = {}

local function sentence(violations)
  local messages = {}
  for index, violation in ipairs(violations) do
    messages[index] = violation.message
  end
  return table.concat(messages, "; ")
end

-- Check a request. `context`: of the client. Returns warnings (a list, maybe empty), or
-- an err of kind validation with `violations` and `warnings`.
function _M.check(context, params)
  local ok, found, warnings = context.catalog:validate(params)
  local inexact = bodies.inexact(params)
  if ok and not inexact[1] then
    return true, found or {}
  elseif ok then
    found, warnings = {}, found
  end
  for _, violation in ipairs(inexact) do
    found[#found + 1] = violation
  end
  return nil, errors.new {
    kind = "validation",
    message = sentence(found),
    violations = found,
    warnings = warnings or {},
  }
end

-- What an order costs by the caller's prices. `context`: of the client. `row`: the
-- model's row of the catalog. Raises as of the prices. Returns price: `cost` in units
-- of the `currency`, and the same in whole `millionths`; nil where it is not known, and
-- why it is not.
function _M.price(context, params, row)
  local prices = context.prices
  if not prices then
    return nil, "the client has no prices"
  end
  local millionths, why = prices:cost(params, row)
  return millionths and prices:money(millionths), why
end

-- Check a request as strictly as the mode says. `context`: of the client. `mode`:
-- `strict`, `advisory` or `off`. Returns warnings, nil where there are none.
function _M.before_sending(context, params, mode)
  if mode == "off" then
    return nil
  end
  local ok, found = _M.check(context, params)
  if ok then
    return #found > 0 and found or nil
  elseif mode == "strict" then
    found.message = found.message .. "; nothing was sent"
    return nil, found
  end
  local warnings = found.violations
  for _, warning in ipairs(found.warnings) do
    warnings[#warnings + 1] = warning
  end
  return warnings
end

return _M
