-- A number that stands for a text, and random numbers that such a number seeds.

local _M = {}

local MODULUS = 2147483647 -- a prime
local MULTIPLIER = 16807 -- Park and Miller's "minimal standard"

-- Take the fingerprint of a text: the same text gives the same number. Neither the text
-- nor a secret in it can be read off the number, but other texts with the same number
-- are easy to find: where that would do harm take a digest. Returns whole, at least 1
-- and less than 2^31 - 1.
function _M.of(text)
  local sum = 1
  for index = 1, #text do
    sum = (sum * 31 + text:byte(index)) % MODULUS
  end
  return sum > 0 and sum or 1
end

-- Make a generator of random numbers, for jitter. Not math.random: to seed it would
-- change the host's numbers, and unseeded it returns the same numbers in every process.
-- `seed`: a whole number above 0, for the same numbers each time; by default each
-- generator has another. Returns the generator, which gives numbers in [0, 1).
function _M.random(seed)
  local state = seed or _M.of(tostring({}) .. os.time() .. os.clock())
  return function()
    state = state * MULTIPLIER % MODULUS
    return (state - 1) / (MODULUS - 1)
  end
end

return _M
