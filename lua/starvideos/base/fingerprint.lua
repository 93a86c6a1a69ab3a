--- A number that stands for a text: the same text gives the same number.
-- Neither the text nor a secret in it can be read off the number, but other
-- texts with the same number are easy to find: where that would do harm take a
-- digest.
-- @module starvideos.base.fingerprint

-- A prime, so that the number is a seed for `starvideos.base.random` too.
local MODULUS = 2147483647

--- Take the fingerprint of a text.
-- @tparam string text
-- @treturn number whole, at least 1 and less than 2^31 - 1
return function(text)
  local sum = 1
  for index = 1, #text do
    sum = (sum * 31 + text:byte(index)) % MODULUS
  end
  return sum > 0 and sum or 1
end
