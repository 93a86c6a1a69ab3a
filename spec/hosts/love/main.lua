-- The example game with a hand on its keys: plays one of the scenes, and writes
-- down what was on the screen.
--
--   love spec/hosts/love EXAMPLE SCENE RESULT_FILE [SCENARIO]

-- luacheck: globals love

local core = require "starvideos.core"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local example, name, result_file, scenario = unpack(arg, 2)

local LONGEST_WAIT = 20

local game = { texts = {}, seen = { opened = {}, updates = 0,
  longest_update = 0 } }
local seen = game.seen

local function write_down()
  seen.ended_at = core.time()
  local file = assert(io.open(result_file, "w"))
  file:write(json.encode(seen))
  file:close()
end

game.write_down = write_down

-- A fault is written down too: nobody is there to read LÖVE's blue screen.
function love.errorhandler(message)
  seen.fault = debug.traceback(tostring(message))
  write_down()
end

--- Press a key, by way of LÖVE's queue.
function game.press(key)
  love.event.push("keypressed", key, key, false)
  game.frame()
end

--- Let frames pass.
function game.frame(count)
  for _ = 1, count or 1 do
    coroutine.yield()
  end
end

--- The text on the screen that a pattern is found in.
function game.text(pattern)
  for _, text in ipairs(game.texts) do
    if text:find(pattern) then
      return text
    end
  end
end

--- Let frames pass until a text is on the screen.
function game.await(pattern)
  local give_up = love.timer.getTime() + LONGEST_WAIT
  while not game.text(pattern) do
    assert(love.timer.getTime() < give_up, ("never saw %s, but: %s"):format(
      pattern, table.concat(game.texts, " / ")))
    game.frame()
  end
  return game.text(pattern)
end

--- Let frames pass until something is so.
function game.until_so(is_so)
  local give_up = love.timer.getTime() + LONGEST_WAIT
  while not is_so() do
    assert(love.timer.getTime() < give_up, "never came to pass")
    game.frame()
  end
end

-- What the sandbox takes seconds for is asked for more often than is polite.
local function hurry(client)
  local generate, wait = client.generate, client.wait
  function client:wait(task, options)
    options.interval = 0.2
    return wait(self, task, options)
  end
  function client:generate(params, options)
    options.interval = tonumber(os.getenv "INTERVAL") or 0.2
    params.prompt = params.prompt .. (scenario or "")
    return generate(self, params, options)
  end
end

local function watch(client)
  local update = client.update
  function client:update()
    local began = love.timer.getTime()
    update(self)
    seen.longest_update = math.max(seen.longest_update,
      love.timer.getTime() - began)
  end
end

local new = starvideos.new

function starvideos.new(options)
  local client, err = new(options)
  if client then
    hurry(client)
    watch(client)
    game.client = client
  end
  return client, err
end

dofile(example .. "/main.lua")

-- The functions that the example calls, or that LÖVE calls in it, with
-- something done before.
local function before(owner, function_name, extra)
  local original = owner[function_name]
  owner[function_name] = function(...)
    extra(...)
    return original(...)
  end
end

local key = os.getenv "STARVIDEOS_API_KEY"

local function note(text)
  game.texts[#game.texts + 1] = text
  seen.shows_key = seen.shows_key
    or key ~= "" and text:find(key, 1, true) ~= nil
end

before(love.graphics, "print", note)
before(love.graphics, "printf", note)
before(love, "draw", function()
  game.texts = {}
end)

function love.system.openURL(url)
  seen.opened[#seen.opened + 1] = url
  return true
end

local play = coroutine.wrap(function()
  game.frame()
  require("scenes")[name](game)
  write_down()
  love.event.quit()
  while true do
    game.frame()
  end
end)

before(love, "update", function()
  seen.updates = seen.updates + 1
  play()
end)
