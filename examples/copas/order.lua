-- Orders three videos at the same time in copas, while a ticker prints. Each is
-- waited for and saved in a thread of its own. Copas 1.2 has no timers: a
-- program steps it until its own next tick.
--
--   STARVIDEOS_API_KEY=... luajit examples/copas/order.lua [FOLDER [INTERVAL]]

local copas = require "copas"
local socket = require "socket"
local starvideos = require "starvideos"

local folder, interval = arg[1] or ".", tonumber(arg[2])
local subjects = { "kitten", "puppy", "foal" }

local client = assert(starvideos.new {
  api_key = os.getenv "STARVIDEOS_API_KEY",
  base_url = os.getenv "STARVIDEOS_BASE_URL",
  runtime = "poll",
})
local await = require("starvideos.loop.copas")(client)

local left, failed = #subjects, 0

local function order(subject)
  local task, file = await(function()
    return client:generate({ model = "videos", duration = 5,
      prompt = ("A %s in the grass"):format(subject) },
      { path = ("%s/%s.mp4"):format(folder, subject), interval = interval })
  end)
  print(subject, task and file.path or tostring(file))
  failed = failed + (task and 0 or 1)
  left = left - 1
end

for _, subject in ipairs(subjects) do
  copas.addthread(function()
    order(subject)
  end)
end
local tick = socket.gettime()
while left > 0 do
  copas.step(math.max(0, tick - socket.gettime()))
  if socket.gettime() >= tick then
    io.stderr:write "."
    tick = tick + 0.1
  end
end
client:close()
os.exit(failed == 0 and 0 or 1)
