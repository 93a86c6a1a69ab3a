-- What is done to the example game that orders through a gateway.

-- luacheck: globals love

local scenes = {}

local function paste(game, token)
  love.system.setClipboardText(token)
  function love.keyboard.isDown()
    return true
  end
  game.press "v"
end

local function sign_in(game)
  game.await "Copy your token"
  paste(game, os.getenv "STARVIDEOS_API_KEY")
  game.await "Type what"
end

local function write(game, prompt)
  for character in prompt:gmatch "[%z\1-\127\194-\244][\128-\191]*" do
    love.event.push("textinput", character)
  end
  game.frame(2)
end

local function order(game, prompt)
  write(game, prompt)
  game.press "return"
end

function scenes.postcard(game)
  sign_in(game)
  write(game, "a kä")
  game.press "backspace"
  write(game, "ite")
  game.seen.typed = game.text "^> "
  game.press "return"
  game.await "Your postcard is processing"
  game.seen.saved = game.await "Saved as"
  game.press "f6"
  game.frame()
end

function scenes.postcard_again(game)
  game.seen.saved = game.await "Saved as"
end

function scenes.postcard_left(game)
  sign_in(game)
  order(game, "a ship [scenario:takes=3]")
  game.await "Your postcard is processing"
end

function scenes.postcard_cancelled(game)
  sign_in(game)
  order(game, "a ship [scenario:takes=3]")
  game.await "Asking how far it is"
  game.press "escape"
  game.seen.told = game.await "F5 goes on"
  game.press "f5"
  game.seen.saved = game.await "Saved as"
end

function scenes.postcard_failed(game)
  sign_in(game)
  order(game, "a ship [scenario:failed]")
  game.seen.told = game.await "task_failed"
  game.seen.again = game.text "F5 goes on"
end

function scenes.postcard_stranger(game)
  game.await "Copy your token"
  paste(game, "no\127token")
  game.await "^config: "
  paste(game, "another-token")
  game.await "Type what"
  order(game, "a ship")
  game.await "does not know this token"
  paste(game, os.getenv "STARVIDEOS_API_KEY")
  game.frame()
  order(game, "a ship")
  game.seen.saved = game.await "Saved as"
end

return scenes
