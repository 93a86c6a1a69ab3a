--- A machine that sleeps for a day between the record of an order and its
-- first byte: when the server, which is slow, shakes hands.

local answers = require "spec.faults.answers"
local http1 = require "spec.faults.http1"
local kernel = require "spec.fixtures.kernel"
local shell = require "starvideos.nginx.shell"

local _M = {}

-- Longer than it takes until the machine sleeps.
local HANDSHAKE_MS = 900

local PROGRAM = [[
local starvideos = require "starvideos"
local url, ca_file, ledger, sleep = ...
local client = assert(starvideos.new { api_key = "sk-1", base_url = url,
  ca_file = ca_file, ledger = ledger })
os.execute(sleep)
local task, err = client:create({ model = "videos", duration = 4,
  prompt = "a kite" }, { key = "kite" })
err = task and {} or err
print(task and task.id or err.kind, err.sent, err.message,
  client:pending()[1].state)
client:close()]]

--- Order.
-- @tparam table server
-- @treturn table outcome: `kind` (the task's id where there is one), `sent`
--   ("true", "false" or "nil"), `message`, and `state` of the order after it
-- @treturn table record of the server
function _M.order(server)
  local http = http1.new()
  local slept, ledger = server.folder .. "/slept", server.folder .. "/slept.db"
  server:plan { { { "wait" }, { "pause", HANDSHAKE_MS },
    { "tls", 0, "known/server" }, http:request(),
    http:answer(answers.right(server.tls_url).create), { "fin" } } }
  os.remove(slept)
  os.remove(ledger)
  local sleep = shell.fill("{ sleep 0.3; : >@slept@; } &", { slept = slept })
  local text = kernel.build(server.folder)("SLEPT=" .. shell.quote(slept),
    PROGRAM, server.tls_url, server.ca_file, ledger, sleep)
  local outcome = {}
  outcome.kind, outcome.sent, outcome.message, outcome.state =
    text:match "^(.-)\t(.-)\t(.-)\t(.-)$"
  return outcome, server:record()
end

return _M
