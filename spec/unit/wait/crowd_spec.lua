local random = require("starvideos.base.fingerprint").random
local starvideos = require "starvideos"

describe("the waits of one client, begun at the same moment,", function()
  local COUNT, START = 10000, 1000

  -- So that they queue, and for long.
  local PER_SECOND = 200

  local ANSWER = { status = 200, headers = {},
    body = '{"id":"video_1","status":"processing"}' }

  local LIMITED = { status = 429, headers = {}, body = "" }

  --- Waits for so many tasks; `answer(time, polls of this second)` may give
  -- another answer. `polls[second]` is how many left in it, `at[id]` when.
  local function wait_all(count, options, answer)
    local now, polls, at, ids = START, {}, {}, {}
    for index = 1, count do
      ids[index] = "video_" .. index
    end
    local client = assert(starvideos.new {
      api_key = "test-key",
      random = random(17),
      poll_rate = PER_SECOND,
      clock = function() return now end,
      sleep = function(seconds) now = now + seconds return true end,
      transport = function(req)
        local time, id = now - START, req.url:match("[^/]+$")
        local second = math.floor(time)
        polls[second] = (polls[second] or 0) + 1
        at[id] = at[id] or {}
        table.insert(at[id], time)
        return answer and answer(time, polls[second]) or ANSWER
      end,
    })
    client:wait_all(ids, options)
    return polls, at, client
  end

  local function total(polls, from, to)
    local sum = 0
    for second = from, to - 1 do
      sum = sum + (polls[second] or 0)
    end
    return sum
  end

  local function most(polls)
    local number = 0
    for _, count in pairs(polls) do
      number = math.max(number, count)
    end
    return number
  end

  it("poll in no second more than the rate limiter permits", function()
    local polls, at = wait_all(COUNT, { timeout = 90 })
    assert.is_true(most(polls) <= PER_SECOND + 1)
    assert.is_true(total(polls, 30, 85) > 0.95 * 55 * PER_SECOND)
    local earliest, latest, closest = math.huge, 0, math.huge
    for _, times_of in pairs(at) do
      earliest = math.min(earliest, times_of[1])
      latest = math.max(latest, times_of[1])
      closest = math.min(closest, (times_of[2] or math.huge) - times_of[1])
    end
    assert.is_true(earliest >= 30 and latest < 30 + COUNT / PER_SECOND + 12)
    assert.is_true(closest >= 30)
  end)

  it("fall back together at a 429, and come back slowly", function()
    local polls = wait_all(COUNT, { timeout = 145, interval = 60 },
      function(time)
        return time >= 90 and time < 91 and LIMITED
      end)
    local before = total(polls, 70, 90) / 20
    local after = total(polls, 92, 102) / 10
    local later = total(polls, 130, 140) / 10
    assert.is_near(PER_SECOND, before, 0.1 * PER_SECOND)
    assert.is_near(PER_SECOND / 2, after, 0.1 * PER_SECOND)
    assert.is_true(later > 0.55 * PER_SECOND and later < 0.7 * PER_SECOND)
    assert.is_true(most(polls) <= PER_SECOND + 1)
  end)

  it("find a limit that the provider has, and keep near it", function()
    local LIMIT = 40
    local refused = {}
    local polls = wait_all(2000, { timeout = 300, max_interval = 30 },
      function(time, count)
        local second = math.floor(time)
        refused[second] = math.max(0, count - LIMIT)
        return count > LIMIT and LIMITED
      end)
    assert.is_true(total(refused, 60, 290) < 0.05 * total(polls, 60, 290))
    assert.is_true(total(polls, 60, 290) > 0.45 * 230 * LIMIT)
  end)

  it("leave no poll behind that the next wait would have to queue for",
    function()
      local polls, _, client = wait_all(COUNT, { timeout = 30.5 })
      assert.is_true(total(polls, 0, 31) < COUNT / 2)
      local polled
      client:wait("video_1", { first_poll = 1, timeout = 3,
        on_progress = function(_, info)
          polled = polled or info.elapsed
        end })
      assert.is_near(1, polled, 0.01)
    end)
end)
