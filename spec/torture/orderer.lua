-- The program that torture kills and starts again: it orders scenes under
-- their keys, resumes what earlier runs left, and saves every video.
--
--   lua5.4 spec/torture/orderer.lua SETTINGS SLOT FIRST LAST SIGNAL [MOMENT]
--
-- SETTINGS is a file of JSON with `base_url`, `api_key`, `ca_file`, `ledger`,
-- `folder`, `prefix` (of the keys), `marks` (where the phase is noted) and
-- `broken` (see `faults`). MOMENT is when it is to send itself SIGNAL, KILL or
-- STOP, see `ending`; another process may kill it at any other. Undisturbed it
-- exits with 0, and with anything else where something happened that must not.

local core = require "starvideos.core"
local ending = require "spec.torture.ending"
local faults = require "spec.torture.faults"
local json = require "starvideos.base.json"
local phases = require "spec.torture.phases"
local starvideos = require "starvideos"

-- What happens to some of the scenes, by the last digits of their numbers.
local MISHAPS, CYCLE = {
  [3] = "failed", [5] = "media_truncated", [7] = "create_502",
  [9] = "create_refused", [11] = "create_500", [13] = "create_truncated",
  [16] = "create_project_id", [19] = "link_expired",
}, 20

-- Errors that a program tolerates; any other ends it. One that was stopped for
-- days has cancelled what it was about to send.
local EXPECTED = {
  outcome_unknown = true, invalid_request = true, task_failed = true,
  ledger = true, io = true, network = true, expired = true, timeout = true,
  cancelled = true,
}

local function read_settings(path)
  local file = assert(io.open(path, "rb"))
  local settings = json.decode(file:read "*a")
  file:close()
  return settings
end

local function expected(result, err)
  if result == nil and not EXPECTED[err.kind] then
    error("unexpected: " .. tostring(err), 0)
  elseif result == nil then
    io.stderr:write(tostring(err), "\n")
  end
  return result
end

local function prompt_of(key, number)
  local mishap = MISHAPS[number % CYCLE]
  return mishap and ("%s [scenario:%s]"):format(key, mishap) or key
end

-- Some scenes have no key: each run names their file in another way, and it is one
-- order all the same.
local SPELLINGS = { "@/", "@/.//", "@.marks/../@name/", "@.link/",
  "@.link/../@name/", "/proc/self/root@/" }

local function spelt(folder)
  local way = SPELLINGS[core.random_bytes(1):byte() % #SPELLINGS + 1]
  return (way:gsub("@name", (folder:match "[^/]*$")):gsub("@", folder))
end

local function place(client, settings, number)
  local key = settings.prefix .. number
  local params = { model = "videos", duration = 4,
    prompt = prompt_of(key, number) }
  local path = ("%s/%s.mp4"):format(settings.folder, key)
  if number % 4 == 2 then
    path = spelt(settings.folder) .. key .. ".mp4"
    expected(client:create(params, { path = path }))
  elseif number % 4 == 0 then
    expected(client:generate(params, { key = key, path = path, min_free = 0,
      interval = 0.05, timeout = 20 }))
  else
    expected(client:create(params, { key = key, path = path }))
  end
end

local function main(path, slot, first, last, signal, moment)
  local settings = read_settings(path)
  phases.watch(settings.marks .. "/" .. slot)
  faults.bring(settings.broken)
  local client = assert(starvideos.new {
    api_key = settings.api_key,
    base_url = settings.base_url,
    ca_file = settings.ca_file,
    ledger = settings.ledger,
    timeout = 10,
  })
  ending.prepare(moment, signal, phases)
  for number = tonumber(first), tonumber(last) do
    place(client, settings, number)
  end
  local result = expected(client:resume { directory = settings.folder,
    interval = 0.05, max_interval = 0.1, timeout = 20 })
  for _, item in ipairs(result and result.orders or {}) do
    if item.err then
      io.stderr:write(tostring(item.err), "\n")
    end
  end
  client:close()
  os.exit(0)
end

main(...)
