-- How many objects a poll makes, by their kinds; prints them as JSON.
--
--   build/bench/objects spec/bench/hosts/objects_once.lua BASE_URL CA_FILE all|each

-- luacheck: globals objects

local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local base_url, ca_file, how = arg[1], arg[2], arg[3]

-- Polls before the count, in which all that is made once is made.
local WAITS, WARM, POLLS = 50, 500, 2000

local polls = 0
local client = assert(starvideos.new { api_key = "key", base_url = base_url,
  ca_file = ca_file, runtime = "frame" })

local function poll_until(count)
  while polls < count do
    client:run(0.05)
  end
end

local options = { interval = 0.2, max_interval = 0.2, first_poll = 0,
  timeout = 3600, on_progress = function()
    polls = polls + 1
  end }
local ids = {}
for index = 1, WAITS do
  ids[index] = "video_" .. index
end
if how == "all" then
  client:async(client.wait_all, client, ids, options)
else
  for _, id in ipairs(ids) do
    client:async(client.wait, client, id, options)
  end
end
poll_until(WARM)
local before, from = objects(), polls
poll_until(WARM + POLLS)
local found = { all = 0 }
for kind, count in pairs(objects()) do
  found[kind] = (count - before[kind]) / (polls - from)
  found.all = found.all + found[kind]
end
io.write(json.encode(found), "\n")
os.exit(0)
