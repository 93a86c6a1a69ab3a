-- What one update took: by the clock on the wall, by that of the processor for
-- this thread alone, and whether the thread was taken off the processor in it.

local ffi = require "ffi"

ffi.cdef [[
  typedef struct { long tv_sec, tv_nsec; } bench_time;
  int clock_gettime(int clock, bench_time *time);
  typedef struct { long times[4], others[12], waited, taken_away; } bench_usage;
  int getrusage(int who, bench_usage *usage);
]]

local MONOTONIC, OF_THREAD, THREAD = 1, 3, 1

local _M = {}

local time = ffi.new "bench_time"
local usage = ffi.new "bench_usage"

local function read(clock)
  ffi.C.clock_gettime(clock, time)
  return tonumber(time.tv_sec) + tonumber(time.tv_nsec) / 1e9
end

local Series = {}
Series.__index = Series

--- Begin a series of so many measurements at most. Nothing is allocated while
-- they are taken, or the collector would be measured too.
function _M.series(most)
  return setmetatable({ count = 0, most = most,
    wall = ffi.new("double[?]", most), cpu = ffi.new("double[?]", most),
    waited = ffi.new("int[?]", most), taken_away = ffi.new("int[?]", most),
  }, Series)
end

--- Measure one call.
function Series:measure(body)
  if self.count == self.most then
    return body()
  end
  ffi.C.getrusage(THREAD, usage)
  local waited, taken_away = usage.waited, usage.taken_away
  local cpu, wall = read(OF_THREAD), read(MONOTONIC)
  body()
  local at = self.count
  self.wall[at] = read(MONOTONIC) - wall
  self.cpu[at] = read(OF_THREAD) - cpu
  ffi.C.getrusage(THREAD, usage)
  self.waited[at] = tonumber(usage.waited - waited)
  self.taken_away[at] = tonumber(usage.taken_away - taken_away)
  self.count = at + 1
end

-- Milliseconds in rising order; only of those in which nothing was counted.
local function sorted(self, values, counted)
  local list = {}
  for index = 0, self.count - 1 do
    if not counted or counted[index] == 0 then
      list[#list + 1] = values[index] * 1e3
    end
  end
  table.sort(list)
  return list
end

local function percentile(list, share)
  return list[math.ceil(#list * share)]
end

--- What came out: milliseconds, and numbers of updates. Undisturbed ones are
-- those in which the thread was not taken off the processor.
function Series:summary()
  local wall, cpu = sorted(self, self.wall), sorted(self, self.cpu)
  local undisturbed = sorted(self, self.wall, self.taken_away)
  return {
    count = self.count,
    median = percentile(wall, 0.5),
    p999 = percentile(wall, 0.999), longest = wall[#wall],
    undisturbed_p999 = percentile(undisturbed, 0.999),
    undisturbed_longest = undisturbed[#undisturbed],
    cpu_p999 = percentile(cpu, 0.999), cpu_p9999 = percentile(cpu, 0.9999),
    cpu_longest = cpu[#cpu],
    taken_away = self.count - #undisturbed,
    waited = self.count - #sorted(self, self.wall, self.waited),
  }
end

return _M
