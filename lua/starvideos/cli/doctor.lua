--- The command `doctor`: what is installed, found, reachable and missing, with the
-- cure. It buys nothing, and leaves nothing behind.
-- @module starvideos.cli.doctor

local failure = require "starvideos.cli.failure"
local doctor_places = require "starvideos.cli.doctor_places"
local doctor_provider = require "starvideos.cli.doctor_provider"
local records = require "starvideos.cli.records"
local redact = require "starvideos.base.redact"
local tables = require "starvideos.cli.table"
local versions = require "starvideos.cli.versions"

local _M = {}

-- The first libcurl that tells whether a request has left (7.80), with a year of
-- repairs.
local OLDEST_LIBCURL = { 7, 81 }

-- What of versions is needed, and where it comes from: rock and Debian package.
local parts = {
  ["lua-cjson"] = { "lua-cjson", "lua-cjson" },
  argparse = { "argparse", "lua-argparse" },
  LuaDBI = { "luadbi-sqlite3", "lua-dbi-sqlite3", optional = true,
    what = "; ledgers need it" },
}

local drivers = {
  { "dbd.sqlite3", "luadbi-sqlite3", "lua-dbi-sqlite3",
    "ledgers in a file need it" },
  { "dbd.postgresql", "luadbi-postgresql", "lua-dbi-postgresql",
    "ledgers in PostgreSQL need it" },
}

local function installing(rock, package)
  return ("luarocks install %s, or Debian's package %s"):format(rock, package)
end

local function is_too_old(version)
  local major, minor = version:match "^(%d+)%.(%d+)"
  major, minor = tonumber(major), tonumber(minor)
  return major and (major < OLDEST_LIBCURL[1] or major == OLDEST_LIBCURL[1]
    and minor < OLDEST_LIBCURL[2])
end

local function libcurl()
  local version, tls = versions.libcurl()
  if not version then
    return { state = "missing", found = tls, exit = failure.USAGE,
      cure = "Debian's package libcurl4 (to build libcurl4-openssl-dev), then make"
        .. " or luarocks once more" }
  elseif is_too_old(version) then
    return { state = "failed", found = version .. " is too old",
      exit = failure.USAGE, cure = "libcurl 7.81 or newer; below it nobody can"
        .. " tell whether an order was sent" }
  elseif not tls then
    return { state = "failed", found = version .. " without TLS",
      exit = failure.USAGE, cure = "a libcurl with TLS: Debian's package"
        .. " libcurl4" }
  end
  return { state = "ok", found = version .. " with " .. tls }
end

local function part_of(row)
  local part = parts[row.name]
  if row.name == "libcurl" then
    return libcurl()
  elseif row.version or not part then
    return { state = "ok", found = row.version }
  end
  return { state = part.optional and "optional" or "missing",
    found = "not found" .. (part.what or ""), exit = failure.USAGE,
    cure = installing(part[1], part[2]) }
end

local function look_at_versions(add)
  for _, row in ipairs(versions.list()) do
    add(row.name, part_of(row))
  end
  for _, driver in ipairs(drivers) do
    -- LuaDBI itself is a line of its own.
    local found = pcall(require, "DBI") and pcall(require, driver[1])
    add(driver[1], found and { state = "ok", found = "found" }
      or { state = "optional", found = "not found; " .. driver[4],
        cure = installing(driver[2], driver[3]) })
  end
end

local function text_of(job, list, trouble)
  local rows = {}
  for index, finding in ipairs(list) do
    rows[index] = { finding.state, finding.name, finding.found
      .. (finding.cure and ". Cure: " .. finding.cure or "") }
  end
  return tables.text({ "is", "what", "found" }, rows,
    { width = tables.width(job) or 80, wraps = true })
    .. "\n" .. (trouble or "All that is needed is there.")
    .. " Nothing was ordered or bought."
end

local needs_cure = { missing = true, failed = true }

-- The code of the most severe finding, and how many there are.
local function judge(list)
  local count, codes = 0, {}
  for _, finding in ipairs(list) do
    if needs_cure[finding.state] then
      count, codes[finding.exit] = count + 1, true
    end
  end
  for _, code in ipairs(failure.by_severity) do
    if codes[code] then
      return count, code
    end
  end
  return count
end

--- Look at all of it.
-- @tparam table job
-- @treturn string the findings
-- @treturn ?table err where something is missing
function _M.run(job)
  local list = {}
  local function add(name, finding)
    finding.name, finding.found = name, redact.text(finding.found)
    list[#list + 1] = finding
  end
  look_at_versions(add)
  doctor_provider.look(job, add)
  doctor_places.look(job, add)
  local count, code = judge(list)
  local trouble = code and ("%d of these %s to be cured."):format(count,
    count == 1 and "has" or "have")
  local err = code and failure.new("config", "something that is needed is missing:"
    .. " the list names it with its cure; nothing was ordered", { exit = code })
  if job.options.json then
    return records.text("findings", { ok = not code, findings = list }), err
  end
  return text_of(job, list, trouble), err
end

return _M
