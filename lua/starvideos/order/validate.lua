--- Check a request against the catalog, before anything is sent.
-- @module starvideos.order.validate

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

--- Check a request.
-- @tparam table context of the client
-- @tparam table params
-- @treturn ?boolean true
-- @treturn table warnings (a list, maybe empty), or an err of kind validation
--   with `violations` and `warnings`
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

--- What an order costs by the caller's prices.
-- @tparam table context of the client
-- @tparam table params
-- @tparam ?table row the model's row of the catalog
-- @treturn ?table price: `cost` in units of the `currency`, and the same in whole
--   `millionths`; nil where it is not known
-- @treturn ?string why it is not
-- @raise as of the prices
function _M.price(context, params, row)
  local prices = context.prices
  if not prices then
    return nil, "the client has no prices"
  end
  local millionths, why = prices:cost(params, row)
  return millionths and prices:money(millionths), why
end

--- Check a request as strictly as the mode says.
-- @tparam table context of the client
-- @tparam table params
-- @tparam string mode `strict`, `advisory` or `off`
-- @treturn ?table warnings, nil where there are none
-- @treturn ?table err
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
