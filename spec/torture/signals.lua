-- make torture: commands get signals, lose their readers, or miss descriptors, at
-- random moments while their orders are on the wire; then what they told and their
-- ledgers are compared with the sandbox's own record.
--
--   lua5.4 spec/torture/signals.lua [ROUNDS] [SEED]
--
-- Prints one JSON object a line and ends with 0 where every goal is met.

local audit = require "spec.torture.audit"
local books = require "spec.fixtures.books"
local figure = require "spec.bench.figure"
local shell = require "starvideos.nginx.shell"
local stage = require "spec.torture.stage"

local SANDBOX = { drawn = false, seconds = 0.3, queued_seconds = 0.1,
  scenario = "create_slow=0.3" }

-- So many commands at a time, and the latest moment of what happens to them.
local ABREAST, LATEST = 6, 0.6

-- What happens: to whom it is done, and what the command may end with. One that was
-- still being loaded is ended by the signal, before anything is sent.
local MISHAPS = {
  { "HUP", signal = "HUP", codes = { 0, 143 } },
  { "TERM", signal = "TERM", codes = { 0, 143 } },
  { "PIPE", signal = "PIPE", codes = { 0 } },
  { "XFSZ", signal = "XFSZ", codes = { 0 } },
  { "nohup", signal = "HUP", before = "trap '' HUP", codes = { 0 } },
  { "no-stdout", redirection = ">&-", codes = { 8 } },
  { "no-stderr", redirection = "2>&- --verbose", codes = { 0 } },
  { "no-stdin", redirection = "<&- --verbose", codes = { 0 } },
  { "unread-stdout", pipe = "2>>@told@", codes = { 8 } },
  { "unread-stderr", pipe = "2>&1 >>@told@ --verbose", codes = { 8 } },
  { "limit", before = "ulimit -f 0", into = "cat >>@told@", codes = { 8 } },
}

local COMMAND = [[{ { ( @before@; sh -c 'echo $PPID' >@told@.pid
  exec @lua@ bin/starvideos create -m videos -d 4 -p @key@ @ledger@ @where@
  ); echo $? >@told@.code; } @pipe@; } &
]]

local function command(folder, key, mishap, ledger)
  local told = folder .. "/" .. key
  local where = mishap.pipe or mishap.into and "2>&1 >>@told@.limited"
    or (">@told@ 2>>@told@ " .. (mishap.redirection or ""))
  local words = { before = mishap.before or ":", lua = arg[-1] or "lua5.4",
    where = where, ledger = ledger and "--ledger " .. ledger or "",
    pipe = mishap.pipe and "| true" or mishap.into
      and "| " .. mishap.into or "", key = key }
  local text = COMMAND:gsub("@(%l+)@", words):gsub("@told@", told)
  return mishap.signal and text .. ("{ sleep %.3f; kill -%s $(cat %s.pid); } &\n")
    :format(math.random() * LATEST, mishap.signal, told) or text
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return text
end

local function is_one_of(code, codes)
  for _, one in ipairs(codes) do
    if code == one then
      return true
    end
  end
end

-- Runs all; a table by the key of each: its `code`, what it `told`, its mishap.
local function run_all(server, folder, rounds)
  local ended = {}
  for round = 1, rounds do
    local lines = { ("exec 2>/dev/null; export STARVIDEOS_API_KEY=%s"
      .. " STARVIDEOS_BASE_URL=%s\n"):format(server.key, server.base_url) }
    for slot = 1, ABREAST do
      local key = ("order-%d-%d"):format(round, slot)
      local mishap = MISHAPS[math.random(#MISHAPS)]
      local ledger = slot % 2 == 0 and not mishap.into and folder .. "/ledger.db"
      lines[#lines + 1] = command(folder, key, mishap, ledger or nil)
      ended[key] = { mishap = mishap, ledger = ledger }
    end
    shell.run(table.concat(lines) .. "wait")
  end
  for key, one in pairs(ended) do
    local told = folder .. "/" .. key
    one.code, one.told = tonumber(read(told .. ".code")), read(told)
  end
  return ended
end

-- What was billed, by the order's key.
local function billed_by(server)
  local billed = {}
  for _, task in ipairs(books.of(server).tasks) do
    local list = billed[task.prompt] or {}
    billed[task.prompt] = list
    list[#list + 1] = task.id
  end
  return billed
end

local function judge(server, folder, ended)
  local known = {}
  for _, row in ipairs((audit.rows(folder .. "/ledger.db"))) do
    known[row.task_id or ""] = row.state
  end
  local found = { lost = 0, double = 0, died = 0, billed = 0 }
  local billed = billed_by(server)
  for key, one in pairs(ended) do
    local ids = billed[key] or {}
    local is_told = ids[1] and (one.ledger and known[ids[1]]
      or one.told:find(ids[1], 1, true))
    found.billed = found.billed + #ids
    found.double = found.double + (#ids > 1 and 1 or 0)
    found.lost = found.lost + (#ids > 0 and not is_told and 1 or 0)
    local died = #ids > 0 and not is_one_of(one.code, one.mishap.codes)
    found.died = found.died + (died and 1 or 0)
    if died or #ids > 0 and not is_told then
      io.stderr:write(("%s at %s: code %s, told %s\n"):format(key, one.mishap[1],
        tostring(one.code), one.told))
    end
  end
  return found
end

local rounds, seed = ...
seed = tonumber(seed) or os.time() % 10000
math.randomseed(seed)
figure.print("torture_signals_seed", seed, "")
stage.run(SANDBOX, nil, function(server, folder)
  local found = judge(server, folder, run_all(server, folder,
    tonumber(rounds) or 40))
  figure.print("torture_signals_billed", found.billed, "orders")
  return stage.print_none("torture_signals_", found,
    { "lost", "double", "died" })
end)
