-- What is done to the example game, and what is looked at; see main.lua.

-- luacheck: globals love

local scenes = require "postcards"

local GOLD = { 1, 0.78, 0.2 }

local function is_gold(red, green, blue)
  return math.abs(red - GOLD[1]) < 0.02 and math.abs(green - GOLD[2]) < 0.02
    and math.abs(blue - GOLD[3]) < 0.02
end

-- How much of the line through the middle of the bar is gold, from 0 to 1, and
-- how many colours the picture has.
local function measure(picture)
  local gold, colours, count = 0, {}, 0
  for x = 60, 739 do
    gold = gold + (is_gold(picture:getPixel(x, 406)) and 1 or 0)
  end
  picture:mapPixel(function(_, _, red, green, blue, alpha)
    local colour = math.floor(red * 255) * 65536 + math.floor(green * 255) * 256
      + math.floor(blue * 255)
    count = count + (colours[colour] and 0 or 1)
    colours[colour] = true
    return red, green, blue, alpha
  end)
  return { bar = gold / 680, colours = count }
end

-- Takes a picture of the next frame, and keeps it in LÖVE's folder.
local function shoot(game, name)
  local found
  love.graphics.captureScreenshot(function(picture)
    found = measure(picture)
    picture:encode("png", name .. ".png")
  end)
  game.until_so(function()
    return found
  end)
  return found
end

local function order(game)
  game.await "Space"
  game.press "space"
end

function scenes.order(game)
  local seen = game.seen
  seen.before = shoot(game, "before")
  order(game)
  game.await "Ordering"
  seen.waiting = game.await "processing"
  seen.waiting_bar = shoot(game, "waiting")
  game.await "Saving: 1"
  seen.saving_bar = shoot(game, "saving")
  seen.saved = game.await "Saved as"
  game.frame()
  seen.after = shoot(game, "after")
  game.press "v"
  game.press "f"
  game.frame()
end

function scenes.click(game)
  game.await "Space"
  love.event.push("mousepressed", 10, 10, 1, false, 1)
  game.seen.saved = game.await "Saved as"
end

function scenes.cancel(game)
  order(game)
  game.await "processing"
  game.press "escape"
  game.seen.told = game.await "cancelled"
  game.press "space"
  game.seen.again = game.await "processing"
end

function scenes.go_on(game)
  order(game)
  game.await "Waiting"
  game.press "escape"
  game.seen.told = game.await "R goes on"
  shoot(game, "told")
  game.press "r"
  game.seen.saved = game.await "Saved as"
end

-- The provider says something else than what was last heard.
function scenes.stale(game)
  order(game)
  game.await "Waiting for [3-9]"
  game.seen.told = game.text "Waiting"
  game.press "escape"
  game.await "R goes on"
end

function scenes.chinese(game)
  order(game)
  game.seen.told = game.await "task_failed"
  shoot(game, "chinese")
end

-- Quits while the order is being answered, and looks on until the end.
function scenes.quit_ordering(game)
  local quit, clock = love.quit, love.timer.getTime
  order(game)
  game.await "Ordering"
  game.frame(60) -- the order is on the wire by then, on a busy machine too
  love.event.quit()
  game.seen.leaving = game.await "Leaving"
  shoot(game, "leaving")
  local began, last, longest = clock(), clock(), 0
  function love.quit()
    game.seen.longest_frame, game.seen.frames_for = longest, last - began
    local stays = quit()
    game.seen.told = tostring(game.text "." or "")
    if not stays then
      game.write_down()
    end
    return stays
  end
  while true do
    game.frame()
    local now = clock()
    longest, last = math.max(longest, now - last), now
  end
end

function scenes.error(game)
  order(game)
  game.seen.told = game.await ": "
  game.frame(10)
  game.seen.still = game.text ": "
end

function scenes.refusal(game)
  game.seen.told = game.await "config"
  game.press "space"
  game.press "escape"
  game.frame(10)
end

function scenes.raise(game)
  local handle = game.client:async(function()
    game.client:query "video_1"
    error "boom"
  end)
  game.until_so(function()
    return handle.done
  end)
  game.seen.told = tostring(handle.err)
  game.frame(10)
end

function scenes.unreadable(game)
  function game.client.generate()
    return nil, "broken: \255\254"
  end
  order(game)
  game.seen.told = game.await "wrong"
  game.frame()
end

function scenes.quit_waiting(game)
  order(game)
  game.await "processing"
end

function scenes.quit_saving(game)
  order(game)
  game.await "Saving: 0.[1-9]"
end

function scenes.threads(game)
  local threads = {}
  local folder = love.filesystem.getSaveDirectory() .. "/videos"
  order(game)
  for index = 1, 2 do
    threads[index] = love.thread.newThread "worker.lua"
    threads[index]:start(("%s/thread-%d.mp4"):format(folder, index))
  end
  game.seen.saved = game.await "Saved as"
  game.until_so(function()
    return not threads[1]:isRunning() and not threads[2]:isRunning()
  end)
  game.seen.threads = {}
  for index = 1, 2 do
    game.seen.threads[index] = threads[index]:getError()
      or love.thread.getChannel("done"):pop()
  end
  table.sort(game.seen.threads)
end

return scenes
