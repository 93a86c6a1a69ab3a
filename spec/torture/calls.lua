-- make torture: an order is killed as it is about to make its first system
-- call, its second, and so on to its last, and then placed again under its
-- key, as its user would.
--
--   lua5.4 spec/torture/calls.lua [EVERY] [FAULT]
--
-- Only every EVERY-th call (1). Prints one JSON object a line and ends with 0
-- where every goal is met. FAULT breaks the ledger on purpose, see
-- `spec.torture.faults`.

local audit = require "spec.torture.audit"
local figure = require "spec.bench.figure"
local shell = require "starvideos.nginx.shell"
local stage = require "spec.torture.stage"

local SANDBOX = { tls = true, drawn = false, memory = "64m" }

-- Calls of an order, or it was not counted.
local LEAST = 200

-- No two orders make as many calls; none is over before it ends so often.
local WHOLE = 3

local COMPILE = [[
cc -std=gnu99 -O1 -o @folder@/reaper spec/torture/reaper.c]]

local FIRST = [[
@folder@/reaper @call@ @lua@ spec/torture/buyer.lua @settings@ @ledger@ @key@ \
  watched >/dev/null 2>>@folder@/log; echo $?]]

local AGAIN = [[
@lua@ spec/torture/buyer.lua @settings@ @ledger@ @key@ >/dev/null \
  2>>@folder@/log; echo $?]]

local KILLED = "137"

-- The order is killed at this call, or comes to its end: whether it did.
local function try(run, call)
  local words = { folder = run.folder, lua = run.lua, call = call,
    settings = run.folder .. "/settings.json", ledger = run.ledger(call),
    key = run.name .. "-" .. call }
  local status = shell.read(shell.fill(FIRST, words))
  local crashed = status ~= KILLED and status ~= "0"
    or shell.read(shell.fill(AGAIN, words)) ~= "0"
  run.kills = run.kills + (status == KILLED and 1 or 0)
  run.crashed = run.crashed + (crashed and 1 or 0)
  return status == "0"
end

local function kill_at_each(run, every)
  local call, whole = 1, 0
  repeat
    whole = try(run, call) and whole + 1 or 0
    run.ledgers[run.ledger(call)] = true
    call = call + every
  until whole == WHOLE or run.crashed > 0
end

-- An order is the first of its ledger, or one of many.
local function runs(folder, lua)
  local function new(name, ledger)
    return { name = name, folder = folder, lua = lua, ledgers = {}, kills = 0,
      crashed = 0, ledger = ledger }
  end
  return {
    new("one", function() return folder .. "/ledger.db" end),
    new("first", function(call)
      return ("%s/ledger%d.db"):format(folder, call)
    end),
  }
end

local function report(server, all, every)
  local whole, ok = stage.books(server), true
  for _, run in ipairs(all) do
    for ledger in pairs(run.ledgers) do
      -- A process that was killed early left no ledger.
      local known, rows, health = pcall(audit.rows, ledger)
      if known then
        stage.add(whole, rows, health)
      end
    end
    ok = figure.print(("torture_calls_of_%s_order"):format(run.name), run.kills,
      "kills", ">= " .. math.floor(LEAST / every)) and ok
    ok = figure.print(("torture_crashed_at_calls_of_%s_order"):format(run.name),
      run.crashed, "runs", "<= 0") and ok
  end
  local found = stage.compare(whole, "unfinished")
  for _, name in ipairs { "billed", "unknown" } do
    figure.print("torture_calls_" .. name, found[name], "orders")
  end
  return stage.print_none("torture_calls_", found,
    { "broken", "lost", "double" }) and ok
end

local every, fault = ...
every = tonumber(every) or 1

stage.run(SANDBOX, fault, function(server, folder)
  assert(shell.run(shell.fill(COMPILE, { folder = folder })))
  stage.write_settings(folder .. "/settings.json", server, fault)
  local all = runs(folder, arg[-1] or "lua5.4")
  for _, run in ipairs(all) do
    kill_at_each(run, every)
  end
  return report(server, all, every)
end)
