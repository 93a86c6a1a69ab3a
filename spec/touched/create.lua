-- Orders COUNT videos of the sandbox at BASE_URL, with a ledger where one is named,
-- and prints the files of ours in which a function ran during the last order.
--
--   lua5.4 spec/touched/create.lua BASE_URL KEY COUNT [LEDGER]

local base_url, key, count, ledger = arg[1], arg[2], tonumber(arg[3]), arg[4]
local starvideos = require "starvideos"

local client = assert(starvideos.new { api_key = key, base_url = base_url,
  ledger = ledger })
local seen = {}

local function note()
  local path = debug.getinfo(2, "S").source:match "lua/(starvideos[%w_/]*%.lua)$"
  if path and not seen[path] then
    seen[path] = true
    print(path)
  end
end

for index = 1, count do
  if index == count then
    debug.sethook(note, "c")
  end
  assert(client:create({ model = "videos", prompt = "A kitten in the grass",
    duration = 5 },
    { key = ledger and "order-" .. index or nil }))
end
debug.sethook()
