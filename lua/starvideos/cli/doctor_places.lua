--- What `doctor` finds on this machine: ledger, folder, programs, terminal.
-- @module starvideos.cli.doctor_places

local c_locale = require "starvideos.base.c_locale"
local clients = require "starvideos.cli.client"
local core = require "starvideos.core"
local failure = require "starvideos.cli.failure"
local locations = require "starvideos.ledger.location"
local launcher = require "starvideos.nginx.launcher"
local shell = require "starvideos.nginx.shell"

local _M = {}

-- Space for a few videos.
local FEW_BYTES = 500 * 1024 * 1024

-- An empty file, or none, becomes a ledger with the first order: that is not ours
-- to do. Of a link to nothing a client says what is wrong.
local function is_new(location, address)
  local size = location.path and core.disk("size", address)
  return location.path and (size == 0 or not size and core.real(address) ~= nil)
end

-- On what a ledger's file lies; a finding where no order can be sent by it.
local function look_at_file(location, address)
  local name = location.path and core.file_system(address)
  local word = locations.is_network(name) and "network"
    or location.path and core.sqlite_file(address):look()
  local place = word ~= "missing" and locations.misplaced[word]
  return name and (" (file system %s)"):format(name) or "", place and {
    state = "failed", exit = failure.DISK, cure = place.cure,
    found = ("no order is sent by %s: %s"):format(locations.shown(address),
      place.what:format(name)) } or nil
end

-- What the finding says of others' rights to a ledger's file, and a cure.
local function rights_of(location, address)
  local lost
  if location.path then
    lost = core.make_private(address)
  end
  if lost then
    return "; other accounts had rights to it, and lost them just now"
  elseif lost == false then
    return "; other accounts may read or write it, and it is not this account's"
      .. " to change", ("as its owner: chmod o= '%s'*"):format(address)
  end
  return ""
end

local function open_ledger(job, location, address, shown, add)
  local rights, cure = rights_of(location, address)
  local client, err = clients.plain(job, nil, { ledger = address,
    account = job.options.account })
  local status
  if client then
    status, err = client:status()
    client:close()
  end
  if status then
    return add("ledger", { state = cure and "optional" or "ok", found = shown
      .. " can be opened, its tables are this version's" .. rights, cure = cure })
  end
  add("ledger", { state = "failed", found = err.message,
    exit = failure.DISK, cure = "see the reason; where the file is locked, look"
      .. " who has it open; `starvideos ledger backup FILE` copies one that works" })
end

local function look_at_ledger(job, add)
  local address = clients.ledger(job)
  if not address then
    return add("ledger", { state = "optional", found = "none; with one no order"
      .. " is lost or bought twice",
      cure = "pass --ledger FILE or set STARVIDEOS_LEDGER" })
  end
  local location = locations.read(address)
  local shown = locations.shown(address)
  local disk, misplaced = look_at_file(location or {}, address)
  local warning = locations.unencrypted(address)
  if warning then
    local found, cure = warning:match "^(.-): (.*)$"
    add("encryption", { state = "optional", found = found, cure = cure })
  end
  if misplaced then
    return add("ledger", misplaced)
  elseif location and is_new(location, address) then
    return add("ledger", { state = "optional", found = shown .. disk
      .. " is not there yet; the first order makes it" })
  elseif location and location.server and job.options.offline then
    return add("ledger", { state = "skipped", found = shown
      .. " was not asked: --offline" })
  end
  open_ledger(job, location or {}, address, shown .. disk, add)
end

-- Bytes that are free where a folder lies; nil where that is not known.
local function free_bytes(folder)
  if core.system() ~= "posix" then
    return nil
  end
  local blocks = shell.read(shell.fill("df -Pk @folder@ 2>/dev/null",
    { folder = folder })):match "\n%S+%s+%d+%s+%d+%s+(%d+)"
  return blocks and tonumber(blocks) * 1024
end

local function look_at_folder(job, add)
  local folder = job.options.output or "."
  local shown = job.options.output or core.directory() or "."
  local probe = ("%s/.starvideos-doctor-%d"):format(folder, core.process_id())
  local file, problem = core.open(probe, "wb")
  if not file then
    return add("folder", { state = "failed", found = tostring(problem),
      exit = failure.DISK, cure = "make the folder, give this account the right"
        .. " to write there, or name another with -o" })
  end
  file:close()
  core.disk("remove", probe)
  local bytes = free_bytes(folder)
  if bytes and bytes < FEW_BYTES then
    return add("folder", { state = "failed", exit = failure.DISK,
      found = ("%s has %.0f MB left"):format(shown, bytes / 1e6),
      cure = "free some space, or name another with -o" })
  end
  add("folder", { state = "ok", found = shown .. " can be written"
    .. (bytes and ", " .. c_locale.number("%.1f", bytes / 1e9)
    .. " GB free" or "") })
end

local function look_at_programs(add)
  if core.system() ~= "posix" then
    return add("nginx", { state = "optional", found = "not on this system; gateway"
      .. " and sandbox need it" })
  end
  local modules, missing = launcher.modules()
  add("nginx", modules and { state = "ok", found = "found, with its Lua module" }
    or { state = "optional", found = missing:match "^[^:]*"
      .. "; gateway and sandbox need it",
      cure = "Debian's packages nginx and libnginx-mod-http-lua" })
  local ffmpeg = shell.run "command -v ffmpeg >/dev/null"
  add("ffmpeg", ffmpeg and { state = "ok", found = "found" }
    or { state = "optional", found = "not found; the sandbox draws its videos with"
      .. " it", cure = "Debian's package ffmpeg" })
end

local function look_at_terminal(job, add)
  local columns = job.env.stdout_size()
  local found = job.env.stdout_terminal()
    and ("%s columns, TERM is %s"):format(tostring(columns or "unknown"),
      job.env.getenv "TERM" or "not set") or "none: results are JSON"
  add("terminal", { state = "ok", found = found })
end

--- Look at them.
-- @tparam table job
-- @tparam function add takes a name and a finding
function _M.look(job, add)
  look_at_ledger(job, add)
  look_at_folder(job, add)
  look_at_programs(add)
  look_at_terminal(job, add)
end

return _M
