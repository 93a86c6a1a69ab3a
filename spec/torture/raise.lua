-- make torture: a host's error is raised at one instruction after an order was
-- sent, at the next one in the next order, and so on until an order comes to its
-- end; the host lives on.
--
--   lua5.4 spec/torture/raise.lua [EVERY] [FAULT]
--
-- Only at every EVERY-th instruction (1). Prints one JSON object a line and ends
-- with 0 where every goal is met. FAULT breaks the ledger on purpose, see
-- `spec.torture.faults`.

local audit = require "spec.torture.audit"
local figure = require "spec.bench.figure"
local json = require "starvideos.base.json"
local shell = require "starvideos.nginx.shell"
local stage = require "spec.torture.stage"

local SANDBOX = { tls = true, drawn = false, memory = "64m" }

-- Instructions of an order that was sent, or it was not counted. What updates a
-- client never comes to an end, and an order that it loses takes long: fewer.
local LEAST, MOST = 700, 2500
local FEWER = { update = 5 }

local RUN = [[
@lua@ spec/torture/raiser.lua @settings@ @ledger@ @way@ 1 @every@ @most@ \
  2>>@folder@/log]]

local function try(folder, lua, way, every)
  local text = shell.read(shell.fill(RUN, { folder = folder, lua = lua,
    way = way, every = every * (FEWER[way] or 1), most = MOST,
    settings = folder .. "/settings.json",
    ledger = folder .. "/ledger.db" }))
  local name = "torture_raised_in_" .. way
  local result = json.decode(text)
  if type(result) ~= "table" then
    return figure.print(name, 0, "errors", ">= 1")
  end
  local ok = figure.print(name, result.raised, "errors",
    ">= " .. math.floor(LEAST / every / (FEWER[way] or 1)))
  return figure.print(name .. "_lost", result.lost, "orders", "<= 0") and ok
end

local every, fault = ...
every = tonumber(every) or 1

stage.run(SANDBOX, fault, function(server, folder)
  stage.write_settings(folder .. "/settings.json", server, fault)
  local ok = true
  for _, way in ipairs { "block", "frame", "update" } do
    ok = try(folder, arg[-1] or "lua5.4", way, every) and ok
  end
  local whole = stage.books(server)
  local known, rows, health = pcall(audit.rows, folder .. "/ledger.db")
  if known then
    stage.add(whole, rows, health)
  end
  local found = stage.compare(whole, "unfinished")
  return stage.print_none("torture_raise_", found,
    { "broken", "lost", "double" }) and ok
end)
