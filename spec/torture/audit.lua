-- Compares the sandbox's own record with the ledger and the files: what was billed
-- must be in the ledger, once, and on disk, whole.

local dbi = require "DBI"
local schema = require "starvideos.ledger.schema"
local shell = require "starvideos.nginx.shell"

local _M = {}

-- The states that an order may end in once its program runs undisturbed.
local SETTLED = { downloaded = true, failed = true, cancelled = true,
  refused = true, unknown = true }

--- Every order of a ledger.
-- @tparam string path
-- @treturn table rows
function _M.rows(path)
  local connection = assert(dbi.Connect("SQLite3", path))
  local function all(sql)
    local statement = assert(connection:prepare(sql))
    assert(statement:execute())
    local rows = {}
    for row in statement:rows(true) do
      rows[#rows + 1] = row
    end
    statement:close()
    return rows
  end
  local health = all "PRAGMA integrity_check"[1].integrity_check
  local rows = all [[SELECT order_key, state, task_id, late_tasks, path, bytes,
    sha256 FROM starvideos_orders]]
  connection:close()
  return rows, health
end

--- The digest of each file of a folder.
-- @tparam string folder
-- @treturn table by path
function _M.digests(folder)
  local found = {}
  local list = shell.read(shell.fill(
    "find @folder@ -type f -exec sha256sum {} +", { folder = folder }))
  for digest, path in list:gmatch "(%x+) [ *]([^\n]+)" do
    found[path] = digest
  end
  return found
end

local function by_task(rows)
  local orders, unknown = {}, {}
  for _, row in ipairs(rows) do
    if row.task_id then
      orders[row.task_id] = row
    end
    for _, id in ipairs(schema.read_ids(row.late_tasks)) do
      orders[id] = row
    end
    if row.state == "unknown" then
      unknown[row.order_key:match "([^/]*)%.mp4$" or row.order_key] = true
    end
  end
  return orders, unknown
end

local Report = {}
Report.__index = Report

function Report:add(kind, ...)
  self[kind] = self[kind] + 1
  self.findings[#self.findings + 1] = kind .. ": " .. string.format(...)
end

-- Billed tasks by key, and what the ledger knows of each.
local function check_bills(report, books)
  local orders, unknown = by_task(books.rows)
  local billed = {}
  for _, task in ipairs(books.tasks) do
    local key = task.prompt:match "^%S+"
    billed[key] = (billed[key] or 0) + 1
    if not orders[task.id] and not unknown[key] then
      report:add("lost", "task %s of %s was billed and no order has it",
        task.id, key)
    end
  end
  for key, count in pairs(billed) do
    if count > 1 then
      report:add("double", "%s was billed %d times", key, count)
    end
  end
  report.billed = #books.tasks
end

local function check_file(report, books, row)
  local digest = books.digests[row.path or ""]
  if digest ~= books.clip or row.sha256 ~= books.clip then
    report:add("broken", "%s is downloaded, its file is %s, its entry %s",
      row.order_key, digest or "missing", row.sha256 or "empty")
  end
end

local function check_orders(report, books)
  for _, row in ipairs(books.rows) do
    report.orders = report.orders + 1
    report.unknown = report.unknown + (row.state == "unknown" and 1 or 0)
    if not SETTLED[row.state] then
      report:add("unfinished", "%s is still %s", row.order_key, row.state)
    elseif row.state == "downloaded" then
      report.downloaded = report.downloaded + 1
      check_file(report, books, row)
    end
  end
end

--- Compare.
-- @tparam table books `tasks` as the sandbox tells them, `rows` and `health`
--   of the ledger, `digests` of the files by path, `clip`: the digest that
--   each must have
-- @treturn table report: how many orders are `lost`, `double`, `broken`,
--   `unfinished`; `orders`, `billed`, `downloaded`, `unknown`; `findings`
function _M.compare(books)
  local report = setmetatable({ lost = 0, double = 0, broken = 0,
    unfinished = 0, orders = 0, billed = 0, downloaded = 0, unknown = 0,
    findings = {} }, Report)
  check_bills(report, books)
  check_orders(report, books)
  if books.health ~= "ok" then
    report:add("broken", "the ledger's file: %s", tostring(books.health))
  end
  return report
end

return _M
