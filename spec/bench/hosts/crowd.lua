-- What a hundred thousand waits cost a process, as one list: 2,222 polls a second
-- over TLS, of a provider that answers from memory. Exits with 0 where every goal
-- is met.

local figure = require "spec.bench.figure"
local provider = require "spec.bench.hosts.provider"
local waiters = require "spec.bench.hosts.waiters"

local COUNT = 100000

local ids = {}
for number = 1, COUNT do
  ids[number] = ("video_0123456789abcdef%08d"):format(number)
end

figure.exit(provider.start(), function(server)
  return waiters.measure(server, ids, { how = "all", name = "crowd",
    bytes = "< 1536", late = "<= 1", processor = "< 10" })
end)
