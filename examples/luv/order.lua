-- Orders three videos at the same time in the loop of luv, while a ticker
-- prints. Each is waited for and saved in a coroutine of its own.
--
--   STARVIDEOS_API_KEY=... luajit examples/luv/order.lua [FOLDER [INTERVAL]]

local starvideos = require "starvideos"
local uv = require "luv"

local folder, interval = arg[1] or ".", tonumber(arg[2])
local subjects = { "kitten", "puppy", "foal" }

local client = assert(starvideos.new {
  api_key = os.getenv "STARVIDEOS_API_KEY",
  base_url = os.getenv "STARVIDEOS_BASE_URL",
  runtime = "poll",
})
local await = require("starvideos.loop.luv")(client)

local left, failed = #subjects, 0
local ticker = uv.new_timer()
ticker:start(100, 100, function()
  io.stderr:write "."
end)

local function order(subject)
  local task, file = await(function()
    return client:generate({ model = "videos", duration = 5,
      prompt = ("A %s in the grass"):format(subject) },
      { path = ("%s/%s.mp4"):format(folder, subject), interval = interval })
  end)
  print(subject, task and file.path or tostring(file))
  failed = failed + (task and 0 or 1)
  left = left - 1
  if left == 0 then
    ticker:close()
  end
end

for _, subject in ipairs(subjects) do
  coroutine.wrap(order)(subject)
end
uv.run()
client:close()
os.exit(failed == 0 and 0 or 1)
