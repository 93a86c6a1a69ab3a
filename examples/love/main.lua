-- Balloons rise while a video is ordered, awaited and saved. Nothing in this
-- game ever waits: client:async starts the work, client:update lets it go on.

local starvideos = require "starvideos"

local PROMPT = "Hot-air balloons over a green valley at sunrise"
local GOLD, WHITE = { 1, 0.78, 0.2 }, { 1, 1, 1 }

local client, refusal -- nil, and why, where the key or the URL is malformed
local order           -- the handle of the last order
local path, began     -- where its video goes; when it was placed
local balloons, longest = {}, 0 -- longest frame since then, in seconds

local function place_order()
  if not client or order and not order.done then
    return
  end
  love.filesystem.createDirectory "videos"
  local folder = love.filesystem.getSaveDirectory() .. "/videos"
  path = ("%s/%d.mp4"):format(folder, os.time())
  began, longest = love.timer.getTime(), 0
  order = client:async(function()
    return client:generate({ model = "videos", prompt = PROMPT, duration = 5 },
      { path = path })
  end)
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
end

local actions = { space = place_order }

-- An order that is on its way is not torn: its answer is awaited first.
function actions.escape()
  if order then
    order:cancel()
  end
end

-- LÖVE itself plays Ogg Theora alone and the provider makes MP4 files, so the
-- system's player shows them.
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

local function status()
  local progress = order and order.progress
  if not order then
    return tostring(refusal or "Space or a click orders a video, Escape cancels.")
  elseif order.err then
    return tostring(order.err)
  elseif order.done then
    return ("Saved as %s. V plays it, F opens its folder."):format(path)
  elseif progress and progress.received then
    return ("Saving: %.1f MB"):format(progress.received / 1e6)
  end
  local doing = progress and progress.task.status or "ordering"
  return ("%s for %d s"):format(doing, love.timer.getTime() - began)
end

-- From 0 to 1; nil where nobody knows, for not every model tells.
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

-- What a server says may be no UTF-8, which LÖVE refuses to print.
local function printable(text)
  return require("utf8").len(text) and text or text:gsub("[\128-\255]", "?")
end

function love.draw()
  love.graphics.clear(0.16, 0.2, 0.42)
  for _, balloon in ipairs(balloons) do
    draw_balloon(balloon)
  end
  if order and not order.err then
    draw_bar(60, 400, 680)
  end
  love.graphics.setColor(WHITE)
  love.graphics.printf((printable(status())), 60, 330, 680)
  love.graphics.print(("frame %.1f ms, longest %.1f ms"):format(
    1000 * love.timer.getDelta(), 1000 * longest), 10, 10)
end

function love.quit()
  if client then
    client:close()
  end
end
