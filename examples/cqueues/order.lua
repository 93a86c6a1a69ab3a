-- Orders three videos at the same time in a controller of cqueues, while a
-- ticker prints. Each is waited for and saved in a coroutine of its own.
--
--   STARVIDEOS_API_KEY=... lua5.4 examples/cqueues/order.lua [FOLDER [INTERVAL]]

local cqueues = require "cqueues"
local starvideos = require "starvideos"

local folder, interval = arg[1] or ".", tonumber(arg[2])
local subjects = { "kitten", "puppy", "foal" }

local client = assert(starvideos.new {
  api_key = os.getenv "STARVIDEOS_API_KEY",
  base_url = os.getenv "STARVIDEOS_BASE_URL",
  runtime = "poll",
})
local cq = cqueues.new()
local await = require("starvideos.loop.cqueues")(client, cq)

local left, failed = #subjects, 0
cq:wrap(function()
  while left > 0 do
    cqueues.sleep(0.1)
    io.stderr:write "."
  end
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
end

for _, subject in ipairs(subjects) do
  cq:wrap(order, subject)
end
assert(cq:loop())
client:close()
os.exit(failed == 0 and 0 or 1)
