-- A process that places orders as a gateway does, as spec/ledger/requesting.lua
-- starts it:
--
--   lua5.4 spec/ledger/admitter.lua LEDGER KEY OPEN COUNT
--
-- It places COUNT orders of the account alice, who may have OPEN at a time, with
-- the key KEY (empty: without), and writes a line for each verdict.

local contexts = require "starvideos.context"
local enqueue = require "starvideos.fleet.enqueue"
local starvideos = require "starvideos"

local ledger, key, open, count = ...

local context = contexts.of(assert(starvideos.new { api_key = "key",
  base_url = "http://127.0.0.1:1", ledger = ledger, account = "alice" }))

for _ = 1, tonumber(count) do
  local found, err = enqueue.admit(context, { model = "videos", duration = 5,
    prompt = "a kite" }, { key = key ~= "" and key or nil,
    terms = { open = tonumber(open) } })
  print(found and found.verdict or err)
end
