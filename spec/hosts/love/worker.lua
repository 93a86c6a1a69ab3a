-- A thread of LÖVE's: a Lua state of its own, in which a client may block.

-- luacheck: globals love

local starvideos = require "starvideos"

local path = ...
local client = starvideos.new {
  api_key = os.getenv "STARVIDEOS_API_KEY",
  base_url = os.getenv "STARVIDEOS_BASE_URL",
}
local task, file = client:generate({ model = "videos", duration = 5,
  prompt = "A kite" }, { path = path, interval = 0.2 })
client:close()
love.thread.getChannel("done"):push(task and file.path or tostring(file))
