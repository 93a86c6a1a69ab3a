-- The sandbox in virtual time, with troubles, and with a count of what arrives in
-- each second.

local sandbox = require "starvideos.sandbox"
local world = require "spec.simulate.world"

local Provider = {}
Provider.__index = Provider

-- Of all requests, so many are refused in the storm, and with which wait.
local STORM, RETRY_AFTER = 0.7, "5"

local MINUTE = 60

-- The provider bears so much more in one second: each worker knows its own share
-- alone, so that by chance some seconds have more polls than others.
local SLACK = 1.3

local function is_in(trouble, now)
  return now >= trouble.from and now < trouble.to
end

local function count(self, req)
  local series = self.seen[req.method == "POST" and "creates" or "polls"]
  local second = math.floor(world.now()) + 1
  for missing = #series + 1, second do
    series[missing] = 0
  end
  series[second] = series[second] + 1
end

-- What happens in place of an answer.
local function trouble_of(self, req)
  local now = world.now()
  if is_in(self.outage, now) then
    if math.random() < 0.5 and req.method == "GET" then
      return { status = 503, headers = {}, body = "<html>503</html>" }
    end
    return nil, { reason = "connect", message = "connection refused",
      sent = false }
  elseif is_in(self.storm, now) and math.random() < STORM then
    return { status = 429, headers = { ["retry-after"] = RETRY_AFTER },
      body = '{"error":{"code":"TooManyRequests","message":"slow down"}}' }
  end
  return false
end

--- Make a provider.
-- @tparam table setup
-- @tparam number epoch Unix seconds at which the world began
function Provider.new(setup, epoch)
  return setmetatable({
    storm = setup.storm, outage = setup.outage,
    seen = { creates = {}, polls = {}, open = {} },
    box = sandbox.new { seconds = setup.task_seconds, queued_seconds = 10,
      link_seconds = 1e6, open = setup.open,
      creates_per_minute = setup.creates_per_minute,
      polls_per_second = setup.polls_per_second * SLACK,
      clock = function() return epoch + world.now() end },
  }, Provider)
end

--- A transport of one client.
-- @treturn function
function Provider:transport()
  local send = self.box:transport()
  return function(req)
    count(self, req)
    local response, failure = trouble_of(self, req)
    if response == false then
      return send(req)
    end
    return response, failure
  end
end

--- Note how many tasks are open; to be called once a second.
function Provider:look()
  local open = self.seen.open
  open[#open + 1] = self:record().open
end

--- The record of the only account.
-- @treturn table
function Provider:record()
  return self.box:record().accounts[1]
end

--- The most creates within any minute of whole seconds, those included that met a
-- trouble.
-- @treturn number
function Provider:most_creates()
  local sum, most = 0, 0
  for second, creates in ipairs(self.seen.creates) do
    sum = sum + creates - (self.seen.creates[second - MINUTE] or 0)
    most = math.max(most, sum)
  end
  return most
end

return Provider
