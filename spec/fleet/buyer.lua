-- A program that orders until it has as many as it wants, or a limit is reached.
--
--   lua5.4 spec/fleet/buyer.lua SETTINGS NAME
--
-- SETTINGS is a file of JSON: `client` (options of `starvideos.new`), `count`
-- (orders), `start` (a file that is there when all begin) and `patience`: for how
-- many failures of the ledger in a row it goes on. Exits with 0 where each order
-- was bought, may have been, or did not fit.

local json = require "starvideos.base.json"
local process = require "spec.fixtures.process"
local starvideos = require "starvideos"

local path, name = ...

local file = assert(io.open(path, "rb"))
local settings = json.decode(file:read "*a")
file:close()

-- What an order may end in though nothing is wrong with the library.
local EXPECTED = { limited = true, outcome_unknown = true, ledger = true }

settings.client.ledger = settings.client.ledger .. "&application_name=" .. name
local client = assert(starvideos.new(settings.client))

local function has_begun()
  local marker = io.open(settings.start)
  return marker and marker:close()
end
while not has_begun() do
  process.readable(-1, 0.02)
end

local function buy(key)
  return client:create({ model = "videos", duration = 4, prompt = key },
    { key = key, limit_timeout = 0 })
end

local number, troubles = 1, 0
repeat
  local task, err = buy(("%s-%d"):format(name, number))
  if err and not EXPECTED[err.kind] then
    error("unexpected: " .. tostring(err), 0)
  end
  io.stderr:write(err and name .. ": " .. tostring(err) .. "\n" or "")
  troubles = err and err.kind == "ledger" and troubles + 1 or 0
  -- An order that the ledger did not record is ordered again.
  number = number + ((task or err.kind ~= "ledger") and 1 or 0)
until number > settings.count or err and err.kind == "limited"
  or troubles > settings.patience
client:close()
os.exit(0, true)
