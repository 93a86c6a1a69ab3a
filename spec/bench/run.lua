-- make bench: one JSON object a line; the exit code is 0 where every goal is
-- met.
--
--   lua5.4 spec/bench/run.lua [PART...]

local server = require "spec.bench.server"

local names = #arg > 0 and arg or { "load", "validate", "query", "create",
  "overshoot", "ledger", "queue", "growth", "download",
  "answer" }

local parts = {}
for index, name in ipairs(names) do
  parts[index] = require("spec.bench." .. name)
end

os.exit(server.with(function(running)
  local all = true
  for _, part in ipairs(parts) do
    all = part(running) and all
  end
  return all
end), true)
