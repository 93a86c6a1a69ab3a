-- What checking a request costs, in C and through a client.

local figure = require "spec.bench.figure"
local starvideos = require "starvideos"

local ROUNDS, COUNT = 7, 200000
local request = {
  model = "videos", prompt = ("A kitten "):rep(25):sub(1, 200), duration = 5,
  ratio = "16:9",
}

local function in_lua()
  local client = assert(starvideos.new { api_key = "key" })
  local microseconds = {}
  for round = 1, ROUNDS do
    local start = os.clock()
    for _ = 1, COUNT do
      assert(client:validate(request))
    end
    microseconds[round] = (os.clock() - start) / COUNT * 1e6
  end
  return figure.median(microseconds)
end

return function()
  local in_c = os.execute "build/bench/validate_bench"
  return figure.print("validate_lua", in_lua(), "us", "< 3") and in_c
end
