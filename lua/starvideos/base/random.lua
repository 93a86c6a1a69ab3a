--- Random numbers for jitter. Not math.random: to seed it would change the
-- host's numbers, and unseeded it returns the same numbers in every process.
-- @module starvideos.base.random

local fingerprint = require "starvideos.base.fingerprint"

local MODULUS = 2147483647
local MULTIPLIER = 16807 -- Park and Miller's "minimal standard"

local function own_seed()
  return fingerprint(tostring({}) .. os.time() .. os.clock())
end

--- Make a generator.
-- @tparam[opt] number seed a whole number above 0, for the same numbers each
--   time; by default each generator has another
-- @treturn function returns a number in [0, 1)
return function(seed)
  local state = seed or own_seed()
  return function()
    state = state * MULTIPLIER % MODULUS
    return (state - 1) / (MODULUS - 1)
  end
end
