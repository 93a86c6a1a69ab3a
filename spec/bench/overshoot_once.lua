-- A process that waits for tasks at a server which never answers, until it is
-- interrupted. Prints its number before, and the time at which the wait was
-- over.
--
--   lua5.4 spec/bench/overshoot_once.lua BASE_URL TASKS

local core = require "starvideos.core"
local starvideos = require "starvideos"

local client = assert(starvideos.new { api_key = "key", base_url = arg[1],
  interrupts = "return" })
local ids = {}
for index = 1, tonumber(arg[2]) do
  ids[index] = "video_" .. index
end

local status = assert(io.open("/proc/self/stat"))
print(status:read("*n"))
status:close()
io.stdout:flush()
local results = client:wait_all(ids, { first_poll = 0 })
local ended = core.now()
for _, result in ipairs(results) do
  assert(result.err.kind == "cancelled" and result.err.interrupted)
end
print(("%.6f"):format(ended))
