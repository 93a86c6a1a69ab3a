-- Numbers and letters as the locale "C" has them, whatever the host's locale is: a GUI
-- toolkit sets the user's. In many the decimal point is a comma, and in Turkish `I` is
-- no capital `i`. Nothing else writes or reads numbers that may have a fraction, or
-- changes the case of letters; `make lint` checks that.

local _M = {}

-- Write a number. `form`: of `string.format` for one number, such as `%.3f`. Returns
-- with a point, where it has a fraction.
function _M.number(form, number)
  return (form:format(number):gsub("[^%w%+%-]+", "."))
end

-- Read a number that was written with a point. `text`: a string, or a number. Returns
-- nil where it is none.
function _M.tonumber(text)
  local number = tonumber(text)
  if number == nil and type(text) == "string" then
    local point = ("%.1f"):format(0.5):sub(2, -2)
    number = tonumber((text:gsub("%.", point, 1)))
  end
  return number
end

local lower, upper = {}, {}
for byte = ("A"):byte(), ("Z"):byte() do
  local capital, small = string.char(byte), string.char(byte + 32)
  lower[capital], upper[small] = small, capital
end

-- A text with small letters in place of the capitals from A to Z.
function _M.lower(text)
  return (text:gsub("[A-Z]", lower))
end

-- The same with capitals.
function _M.upper(text)
  return (text:gsub("[a-z]", upper))
end

return _M
