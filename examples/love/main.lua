-- Balloons rise while a video is ordered, awaited and saved. The game itself
-- never waits: client:async starts the work, client:update advances it.

local errors = require "starvideos.errors"
local starvideos = require "starvideos"

local PROMPT = "Hot-air balloons over a green valley at sunrise"
local GOLD, WHITE = { 1, 0.78, 0.2 }, { 1, 1, 1 }

local client, refusal -- nil, and why, where the key or the URL is malformed
local order           -- the handle of the last order
local path, began     -- where its video is saved; when it was ordered
local polls, heard    -- polls that were answered, and when the last one was
local leaving         -- true once the player wants to quit
local balloons, longest = {}, 0 -- longest frame since then, in seconds

-- Errors are printed on the console too, where any language can be read.
local function start(work)
  began, longest, polls = love.timer.getTime(), 0, nil
  order = client:async(work):on_done(function(handle)
    if handle.err then
      print(tostring(handle.err))
    end
  end)
end

local function is_free()
  return client and not leaving and (not order or order.done)
end

local function place_order()
  if not is_free() then
    return
  end
  love.filesystem.createDirectory "videos"
  local folder = love.filesystem.getSaveDirectory() .. "/videos"
  path = ("%s/%d.mp4"):format(folder, os.time())
  start(function()
    return client:generate({ model = "videos", prompt = PROMPT, duration = 5 },
      { path = path })
  end)
end

-- The task of an order that ended without its video and may still complete.
local function left_over()
  local err = order and order.err
  return type(err) == "table" and err.kind ~= "task_failed" and err.task_id or nil
end

-- Waits for that task again: nothing is bought.
local function go_on()
  local id = is_free() and left_over()
  if id then
    start(function()
      local task, err = client:wait(id, { first_poll = 0 })
      if not task then
        return nil, err
      end
      return client:download(task, path)
    end)
  end
end

function love.load()
  client, refusal = starvideos.new {
    runtime = "frame",
    api_key = os.getenv "STARVIDEOS_API_KEY",
    base_url = os.getenv "STARVIDEOS_BASE_URL",
  }
  love.graphics.setNewFont(16)
  for index = 1, 14 do
    balloons[index] = {
      x = love.math.random(800), y = love.math.random(450),
      speed = 20 + love.math.random(40), size = 10 + love.math.random(14),
      colour = { 0.4 + 0.6 * love.math.random(), 0.4, love.math.random() },
    }
  end
end

function love.update(dt)
  longest = math.max(longest, dt)
  for _, balloon in ipairs(balloons) do
    balloon.x = balloon.x + 12 * math.sin(balloon.y / 30) * dt
    balloon.y = (balloon.y - balloon.speed * dt + 60) % 560 - 60
  end
  if client then
    client:update()
  end
  if leaving and not client:busy() then
    love.event.quit()
  end
end

local actions = { space = place_order, r = go_on }

-- An order that was sent gets its answer first.
function actions.escape()
  if order then
    order:cancel()
  end
end

-- LÖVE plays only Ogg Theora and the provider makes MP4 files, so the system's
-- player plays them.
function actions.v()
  if order and order.result then
    love.system.openURL("file://" .. path)
  end
end

function actions.f()
  if path then
    love.system.openURL("file://" .. path:match "(.*)/")
  end
end

function love.keypressed(key)
  if actions[key] then
    actions[key]()
  end
end

love.mousepressed = place_order

-- LÖVE prints only UTF-8 for which its font has glyphs: for a reason in Chinese
-- the game shows what the kind of error means.
local function readable(err)
  local text = tostring(err):gsub("%c+", " ")
  if require("utf8").len(text) and love.graphics.getFont():hasGlyphs(text) then
    return text
  end
  local kind = errors.is(err) and err.kind
  return (kind and kind .. ": " .. errors.meaning(kind) or "something went wrong")
    .. "; the console shows what was said"
end

-- The provider is polled every 30 to 60 seconds: its last answer may be old.
local function waiting(now)
  local progress = order.progress
  if not progress then
    return ("Ordering, for %d s"):format(now - began)
  elseif progress.polls == 0 and progress.task.status == "unknown" then
    return "Asking how far it is"
  elseif progress.polls ~= polls and not progress.error then
    polls, heard = progress.polls, now
  end
  return ("Waiting for %d s; %s when the provider was last asked, %d s ago")
    :format(now - began, progress.task.status, now - (heard or began))
end

local function status()
  local progress = order and order.progress
  if not order then
    return refusal and readable(refusal)
      or "Space or a click orders a video, Escape cancels."
  elseif order.err then
    return readable(order.err) .. (left_over() and "\nR goes on waiting,"
      .. " and buys nothing." or "")
  elseif order.done then
    return ("Saved as %s. V plays it, F opens its folder."):format(path)
  elseif progress and progress.received then
    return ("Saving: %.1f MB"):format(progress.received / 1e6)
  end
  return waiting(love.timer.getTime())
    .. (leaving and "\nLeaving as soon as that is answered." or "")
end

-- From 0 to 1; nil if unknown, because not every model reports it.
local function fraction()
  local progress = order.progress or {}
  local percent = progress.task and progress.task.progress
  return order.done and 1 or percent and percent / 100
    or progress.total and progress.received / progress.total
end

local function draw_bar(x, y, width)
  local done = fraction()
  local from = done and 0 or 0.4 + 0.4 * math.sin(3 * love.timer.getTime())
  love.graphics.setColor(1, 1, 1, 0.2)
  love.graphics.rectangle("fill", x, y, width, 12, 6)
  love.graphics.setColor(GOLD)
  love.graphics.rectangle("fill", x + from * width, y, (done or 0.2) * width, 12, 6)
end

local function draw_balloon(balloon)
  local x, y, size = balloon.x, balloon.y, balloon.size
  love.graphics.setColor(1, 1, 1, 0.5)
  love.graphics.line(x, y + size, x, y + 3 * size)
  love.graphics.setColor(balloon.colour)
  love.graphics.ellipse("fill", x, y, size, 1.2 * size)
end

local function draw_text(text, x, y, width)
  local font = love.graphics.getFont()
  local _, lines = font:getWrap(text, width)
  love.graphics.setColor(0, 0, 0, 0.6)
  love.graphics.rectangle("fill", x - 8, y - 4, width + 16,
    #lines * font:getHeight() + 8, 6)
  love.graphics.setColor(WHITE)
  love.graphics.printf(text, x, y, width)
end

function love.draw()
  love.graphics.clear(0.16, 0.2, 0.42)
  for _, balloon in ipairs(balloons) do
    draw_balloon(balloon)
  end
  if order and not order.err then
    draw_bar(60, 400, 680)
  end
  draw_text(status(), 60, 300, 680)
  draw_text(("frame %.1f ms, longest %.1f ms"):format(
    1000 * love.timer.getDelta(), 1000 * longest), 10, 10, 300)
end

-- The window stays open and goes on drawing until an order that was sent has its
-- answer: up to a minute. Without this, `close` would block for it.
function love.quit()
  if not client then
    return false
  end
  leaving = true
  client:cancel()
  if client:busy() then
    return true
  end
  client:close()
end
