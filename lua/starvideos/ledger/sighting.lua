--- What a ledger is told of a task, by its id: these are methods of a ledger. The
-- orders of a task are those of its provider (by base URL) and account; see
-- `starvideos.ledger.tasks`.
-- @module starvideos.ledger.sighting

local memory = require "starvideos.ledger.memory"
local owner = require "starvideos.ledger.owner"
local record = require "starvideos.ledger.record"
local redact = require "starvideos.base.redact"
local tasks = require "starvideos.base.task"

local _M = {}

-- Asks once more where the ledger has forgotten an order that this process knows.
local function tell(self, method, id, ...)
  local result, err = self:ask_with(false, method, id, ...)
  if result == "none" and self:recall_task(id) then
    result, err = self:ask_with(false, method, id, ...)
  end
  return result and true, err
end

--- A task was seen: it has ended, or the order it is of was accepted.
-- @tparam table task
-- @treturn ?boolean true
-- @treturn ?table err
function _M:seen(task)
  local state = tasks.is_terminal(task) and task.status or "accepted"
  local why = type(task.error) == "string" and redact.urls(task.error)
  return tell(self, "seen", task.id, state, why or nil)
end

--- The provider does not know a task any more.
-- @tparam string id the task's
-- @treturn ?boolean true
-- @treturn ?table err
function _M:missing(id)
  return tell(self, "missing", id)
end

local function file_row(file)
  return { path = record.path(file.path), machine = owner.host(),
    bytes = file.bytes, sha256 = file.sha256 }
end

--- The video of a task is on disk and about to be renamed: where the process ends
-- during that, the next one recognises the file by what is recorded here.
-- @tparam string id the task's
-- @tparam table file `path`, `bytes`, `sha256`
-- @tparam ?string order_id of the order that the file is of, where that is known
-- @treturn ?boolean true
-- @treturn ?table err
function _M:placing(id, file, order_id)
  return tell(self, "placing", id, file_row(file), order_id)
end

--- The video of a task is on disk.
-- @tparam string id the task's
-- @tparam table file `path`, `bytes`, `sha256`
-- @tparam ?string order_id see `placing`
-- @treturn ?boolean true
-- @treturn ?table err
function _M:downloaded(id, file, order_id)
  local row = file_row(file)
  memory.saved(self.base_url, id, row)
  return tell(self, "downloaded", id, row, order_id)
end

--- The order of a task.
-- @tparam string id the task's
-- @tparam ?string path of a file that is to be its video's: of several orders of
--   the task that one counts which has it
-- @tparam ?string order_id of the order, where that is known
-- @treturn ?table row; nil where there is none
-- @treturn ?table err
function _M:of_task(id, path, order_id)
  return self:ask_with(false, "of_task", id, record.path(path), order_id)
end

--- The same, of this client's provider and account alone.
-- @tparam string id the task's
-- @treturn ?table row; nil where there is none
-- @treturn ?table err
function _M:own_of_task(id)
  return self:ask_with(false, "of_task", id, nil, nil, true)
end

return _M
