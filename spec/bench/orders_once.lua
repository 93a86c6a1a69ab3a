-- A process that reads all orders of a ledger, or is the command, and prints its peak of
-- memory in megabytes as the last line of its standard error.
--
--   lua5.4 spec/bench/orders_once.lua LEDGER
--   lua5.4 spec/bench/orders_once.lua COMMAND ARGUMENT...

local cli = require "starvideos.cli"
local starvideos = require "starvideos"

local function read_all(ledger)
  local client = assert(starvideos.new { api_key = "key", ledger = ledger })
  local count, after = 0, nil
  repeat
    local orders, more = client:orders { after = after }
    assert(orders, more)
    count, after = count + #orders, more
  until not after
  client:close()
  return count
end

if arg[2] then
  assert(cli.main(arg) == 0)
else
  assert(read_all(arg[1]) == 100000)
end
for line in io.lines "/proc/self/status" do
  local kilobytes = line:match "^VmHWM:%s*(%d+)"
  if kilobytes then
    io.stderr:write(tonumber(kilobytes) / 1024, "\n")
  end
end
