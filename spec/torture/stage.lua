-- What the programs of torture stand on: a sandbox on a server, a folder for what
-- they leave, the settings of the programs they kill, and figures with a goal.

local audit = require "spec.torture.audit"
local books = require "spec.fixtures.books"
local figure = require "spec.bench.figure"
local json = require "starvideos.base.json"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local _M = {}

--- Write the settings of a program.
-- @tparam string path
-- @tparam table server
-- @tparam ?string fault see `spec.torture.faults`
-- @tparam ?table settings of its own
function _M.write_settings(path, server, fault, settings)
  settings = settings or {}
  settings.base_url, settings.api_key = server.base_url, server.key
  settings.ca_file, settings.broken = server.ca_file, fault
  local file = assert(io.open(path, "wb"))
  assert(file:write((json.encode(settings))))
  file:close()
end

--- The books of a server, and none of a ledger yet.
-- @tparam table server
-- @treturn table books for `add` and `spec.torture.audit`
function _M.books(server)
  return { tasks = books.of(server).tasks, rows = {}, digests = {},
    health = "ok" }
end

--- Add what a ledger holds to books.
-- @tparam table whole the books
-- @tparam table rows
-- @tparam string health
function _M.add(whole, rows, health)
  whole.health = health ~= "ok" and health or whole.health
  for _, row in ipairs(rows) do
    whole.rows[#whole.rows + 1] = row
  end
end

--- Compare books, and show what they lack.
-- @tparam table whole the books
-- @tparam ?string except kind of findings that is not shown
-- @treturn table report of `spec.torture.audit`
function _M.compare(whole, except)
  local report = audit.compare(whole)
  for _, finding in ipairs(report.findings) do
    if not (except and finding:find("^" .. except)) then
      io.stderr:write(finding, "\n")
    end
  end
  return report
end

--- Print figures that must be 0.
-- @tparam string prefix of their names
-- @tparam table report
-- @tparam table names
-- @treturn boolean whether they are
function _M.print_none(prefix, report, names)
  local ok = true
  for _, name in ipairs(names) do
    ok = figure.print(prefix .. name, report[name], "orders", "<= 0") and ok
  end
  return ok
end

--- Run a program of torture, and exit. What it leaves is kept where it failed.
-- @tparam table options of the sandbox
-- @tparam ?string fault that the program is to find
-- @tparam function work takes the server and the folder; returns whether every
--   goal is met
function _M.run(options, fault, work)
  local server = assert(nginx.start(options))
  local folder = shell.read 'mktemp -d "${TMPDIR:-/tmp}/starvideos-spec.XXXXXX"'
  local done, ok = xpcall(work, debug.traceback, server, folder)
  server:stop()
  if done and ok or fault then
    shell.run(shell.fill("rm -rf -- @folder@", { folder = folder }))
  else
    io.stderr:write("what it left lies in ", folder, "\n")
  end
  os.exit(assert(done and { ok }, ok)[1], true)
end

return _M
