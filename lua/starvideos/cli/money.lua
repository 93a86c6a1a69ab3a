--- Amounts of money as people read them.
-- @module starvideos.cli.money

local c_locale = require "starvideos.base.c_locale"


local _M = {}

--- An amount: two decimals, more only where it has them.
-- @tparam number amount in units of the currency
-- @tparam ?string currency its name
-- @treturn string such as 80.00 USD
function _M.text(amount, currency)
  local digits = c_locale.number("%.6f", amount)
  digits = digits:gsub("0+$", "")
  local decimals = #digits:match "%.(%d*)$"
  digits = digits .. ("0"):rep(2 - decimals)
  return currency and digits .. " " .. currency or digits
end

--- A sum of amounts of several currencies.
-- @tparam table by_currency amounts by the currency's name; "" is none
-- @treturn ?string such as 80.00 USD; nil where there is none
function _M.sum(by_currency)
  local names, texts = {}, {}
  for name in pairs(by_currency) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    texts[index] = _M.text(by_currency[name], name ~= "" and name or nil)
  end
  return texts[1] and table.concat(texts, " + ")
end

return _M
