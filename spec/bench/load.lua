-- What `require "starvideos"` costs a program that starts.

local figure = require "spec.bench.figure"

local ROUNDS = 21
local COMMAND = [[lua5.4 -e 'local start = os.clock() require "starvideos"
  io.write((os.clock() - start) * 1e3)']]

return function()
  local milliseconds = {}
  for i = 1, ROUNDS do
    local process = assert(io.popen(COMMAND))
    milliseconds[i] = assert(tonumber(process:read("*a")))
    process:close()
  end
  return figure.print("require", figure.median(milliseconds), "ms", "< 5")
end
