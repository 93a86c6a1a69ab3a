-- Postcards: a game as it can be given to other people. It has no key of the
-- provider's: it orders from a gateway, with a token of its player's own.

local errors = require "starvideos.errors"
local starvideos = require "starvideos"
local utf8 = require "utf8"

local GATEWAY = os.getenv "POSTCARDS_GATEWAY" or "http://127.0.0.1:8080"
local INTERVAL = 2 -- seconds: a gateway may be asked more often than the provider

local kept = {}       -- `token`, and the id of the `order` that is not saved yet
local client          -- nil until there is a token
local order           -- the handle of the order under way, or of the last one
local refusal         -- why there is no client
local prompt = ""     -- what the player has typed
local leaving = false -- true once the player wants to quit

-- A file of LÖVE's save directory each: the game may be closed at any time.
local function keep(name, text)
  kept[name] = text
  if text then
    love.filesystem.write(name .. ".txt", text)
  else
    love.filesystem.remove(name .. ".txt")
  end
end

local function is_free()
  return client and kept.token and not leaving and (not order or order.done)
end

-- A gateway's ids are letters, digits and _: a file may be named like that.
local function path_of(id)
  return ("%s/videos/%s.mp4"):format(love.filesystem.getSaveDirectory(), id)
end

-- After these there will be no video. After any other error its order may be waited
-- for again, by a game that was started again too.
local over = { task_failed = true, not_found = true, expired = true }

local function fetch(id)
  local task, err = client:wait(id, { interval = INTERVAL, first_poll = 0 })
  local file
  if task then
    file, err = client:download(task, path_of(id), { overwrite = true })
  end
  if file or over[err.kind] then
    keep("order", nil)
  end
  return file, err
end

local function buy(text)
  local task, err = client:create { model = "videos", prompt = text,
    duration = 5 }
  local id = task and task.id or err.task_id
  if id then
    keep("order", id)
  end
  if not task then
    return nil, err
  end
  return fetch(id)
end

-- A token that the gateway does not know is asked for again.
local function start(work, argument)
  order = client:async(work, argument):on_done(function(handle)
    local err = handle.err
    if err then
      print(tostring(err))
    end
    if errors.is(err) and err.kind == "auth" then
      keep("token", nil)
    end
  end)
end

local function go_on()
  if is_free() and kept.order then
    start(fetch, kept.order)
  end
end

local function sign_in()
  if client then
    client:close()
  end
  client, refusal = starvideos.new { runtime = "frame", base_url = GATEWAY,
    api_key = kept.token }
  if refusal then
    keep("token", nil)
  end
  go_on()
end

function love.load()
  love.graphics.setNewFont(16)
  love.keyboard.setKeyRepeat(true)
  love.filesystem.createDirectory "videos"
  for _, name in ipairs { "token", "order" } do
    kept[name] = (love.filesystem.read(name .. ".txt") or ""):match "%S+"
  end
  if kept.token then
    sign_in()
  end
end

function love.update()
  if client then
    client:update()
  end
  if leaving and not client:busy() then
    love.event.quit()
  end
end

function love.textinput(text)
  if is_free() then
    prompt = prompt .. text
  end
end

local actions = {}

actions["return"] = function()
  if is_free() and prompt:find "%S" then
    start(buy, prompt)
    prompt = ""
  end
end

function actions.backspace()
  local last = utf8.offset(prompt, -1)
  prompt = last and prompt:sub(1, last - 1) or ""
end

-- An order that was sent gets its answer first; what it made goes on.
function actions.escape()
  if order then
    order:cancel()
  end
end

actions.f5 = go_on

function actions.f6()
  if order and order.result then
    love.system.openURL("file://" .. order.result.path)
  end
end

-- The token is in the clipboard: nobody types it, and it is never shown.
function actions.v()
  local token = love.system.getClipboardText():match "^%s*(%S+)%s*$"
  local is_pasting = love.keyboard.isDown("lctrl", "rctrl", "lgui", "rgui")
  if is_pasting and token and not kept.token then
    keep("token", token)
    sign_in()
  end
end

function love.keypressed(key)
  if actions[key] then
    actions[key]()
  end
end

-- LÖVE prints only UTF-8 for which its font has glyphs.
local function readable(err)
  local text = tostring(err):gsub("%c+", " ")
  if utf8.len(text) and love.graphics.getFont():hasGlyphs(text) then
    return text
  end
  local kind = errors.is(err) and err.kind
  return (kind and kind .. ": " .. errors.meaning(kind) or "something went wrong")
    .. "; the console shows what was said"
end

local function waiting()
  local progress = order.progress
  if not progress or not progress.task then
    return progress and progress.received
      and ("Saving: %.1f MB"):format(progress.received / 1e6) or "Ordering"
  end
  local status = progress.task.status
  return status == "unknown" and "Asking how far it is"
    or ("Your postcard is %s, %d%%"):format(status, progress.task.progress or 0)
end

-- What is on the screen until there is a token.
local function invitation()
  local why = refusal and readable(refusal) .. "\n\n"
    or order and "The gateway does not know this token; nothing was ordered.\n\n"
    or ""
  return ("%sCopy your token for %s, then press Ctrl-V."):format(why, GATEWAY)
end

local function status()
  if not kept.token then
    return invitation()
  elseif not order then
    return "Type what your postcard is to show, then press Enter."
  elseif not order.done then
    return waiting() .. (leaving and "\nLeaving as soon as that is answered."
      or "")
  elseif order.err then
    return readable(order.err) .. (kept.order
      and "\nF5 goes on waiting, and buys nothing." or "")
  end
  return ("Saved as %s. F6 plays it."):format(order.result.path)
end

function love.draw()
  love.graphics.clear(0.16, 0.2, 0.42)
  love.graphics.printf(status(), 60, 60, 680)
  if is_free() then
    love.graphics.printf("> " .. prompt .. "_", 60, 300, 680)
  end
end

-- The window stays until an order that was sent has its answer.
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
