-- A game under load: a thousand waits, downloads, and an order a second over a
-- connection of its own. Writes down what the updates took.
--
--   love spec/bench/hosts/love LOAD FRAMES_PER_SECOND SECONDS RESULT_FILE
--
-- FRAMES_PER_SECOND may be 0: as many as there can be.

-- luacheck: globals love

local clocks = require "clocks"
local json = require "starvideos.base.json"

local load_name, rate, seconds, result_file = unpack(arg, 2)
rate, seconds = tonumber(rate), tonumber(seconds)

-- The first connections, and Lua that is being compiled, are a figure of their
-- own.
local WARM_UP = 8

local MOST_UPDATES = 2000000

local load = require(load_name)
local start, series = clocks.series(MOST_UPDATES), clocks.series(MOST_UPDATES)
local began, next_frame, next_second

function love.errorhandler(message)
  io.stderr:write(debug.traceback(tostring(message)), "\n")
end

function love.load()
  load.begin(os.getenv "BENCH_URL", os.getenv "BENCH_FOLDER")
  began = love.timer.getTime()
  next_frame, next_second = began, began
end

local function finish()
  local summary = series:summary()
  summary.start_longest = start:summary().longest
  load.finish(summary)
  local file = assert(io.open(result_file, "w"))
  file:write(json.encode(summary))
  file:close()
  love.event.quit()
end

function love.update()
  local now = love.timer.getTime()
  if now >= next_second then
    next_second = next_second + 1
    load.each_second()
  end
  if now < began + WARM_UP then
    start:measure(load.update)
  elseif now < began + WARM_UP + seconds then
    series:measure(load.update)
  else
    finish()
  end
end

function love.draw()
  love.graphics.circle("fill", 80 + 60 * math.sin(love.timer.getTime()), 60, 8)
  if rate > 0 then
    next_frame = next_frame + 1 / rate
    love.timer.sleep(math.max(0, next_frame - love.timer.getTime()))
  end
end
