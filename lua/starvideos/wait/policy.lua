--- The numbers of polling. Seconds unless said otherwise.
-- @module starvideos.wait.policy

local _M = {
  -- The pace of a wait. The provider's query document asks for 30 to 60 s
  -- between two polls of a task; the rest is this library's choice.
  interval = 30, -- between polls, at first
  max_interval = 60, -- between polls, in the end
  growth = 1.25, -- factor from one interval to the next
  jitter = 0.2, -- share by which an interval varies, either way
  timeout = 1800, -- of a whole wait: videos take minutes, 30 are many
  last_look = 2, -- a last poll this long before the deadline

  -- The rate limiter. The provider names no limit of requests; it answers 429.
  rate = 250, -- polls a second of a client: 10,000 tasks, each every 40 s
  rate_min = 1, -- polls a second that many 429 leave it
  rate_memory = 2, -- over which the present rate is measured
  rate_lowering = 2, -- in which many 429 lower it once
  rate_doubling = 120, -- in which a lowered rate doubles
  rate_trust = 60, -- the longest silence that counts towards it
  hold_max = 60, -- the longest that one 429 holds back all waits
  check = 0.25, -- share of its time in the queue after which a poll checks
  check_min = 2, -- but not sooner than this
  check_max = 30, -- and no later than this
  check_late = 10, -- by how much it may be late before its permit is free

  -- The shared cache.
  cache_seconds = 120, -- how long an answer is kept for other processes
  cache_shortest = 0.001, -- the shortest time a dictionary keeps something
  cache_look = 1, -- between looks at what another finds out about a task
}

--- What a wait tolerates of its polls beside the faults that pass
-- (`starvideos.provider.retry`), by the kind of the error. It ends at once only with
-- what the provider says of this task, its status, and with what happened on
-- this machine; a gateway or a provider that is being deployed says much else
-- for a while. Each is tolerated up to `in_a_row` times since the last answer
-- that made sense, and in any case while the task is younger than `age`
-- seconds; where it must be `answered`, only with an HTTP status.
-- @table tolerances
_M.tolerances = {
  auth = { in_a_row = 3 }, -- now and then a good key is refused, too
  -- A page, half an answer; a completed task whose link comes a moment later.
  protocol = { in_a_row = 5 },
  -- 3xx, "No handler": a deployment. A base URL that is wrong stays wrong.
  config = { in_a_row = 5, answered = true },
  -- 400, 409 and their like come from gateways, too.
  invalid_request = { in_a_row = 5 },
  -- A new task is not known everywhere at once, an old one may be missed once.
  not_found = { in_a_row = 3, age = 120 },
}

return _M
