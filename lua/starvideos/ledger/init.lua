--- What was ordered, on disk: before an order is sent it is written down, and
-- its id before `create` returns. Several processes may share one ledger.
-- @classmod starvideos.ledger

local databases = require "starvideos.ledger.database"
local errors = require "starvideos.errors"
local json = require "starvideos.json"
local owner = require "starvideos.ledger.owner"
local record = require "starvideos.ledger.record"
local redact = require "starvideos.redact"
local states = require "starvideos.ledger.states"
local stores = require "starvideos.ledger.store"
local tasks = require "starvideos.task"

local _M = {}

local Ledger = {}
Ledger.__index = Ledger

-- How often an order is looked at again when others change it meanwhile.
local ATTEMPTS = 50

-- Beyond the time an exchange may take; what the clocks of two machines may
-- differ by.
local LEASE_MARGIN = 60

-- What no other process and no other ledger has in its ids.
local function mark_of(self)
  local file = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(8)
  if file then
    file:close()
  end
  bytes = bytes or ("????????"):gsub("%?", function()
    return string.char(math.floor(self.random() * 256))
  end)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

-- Sorts by time to the microsecond, then by the order in which ids were made.
local function new_id(self)
  if self.process ~= owner.current() then
    self.process, self.mark, self.count = owner.current(), mark_of(self), 0
  end
  self.count = self.count + 1
  local now = self.clock()
  local seconds = math.floor(now)
  return ("%08x%05x%03x"):format(seconds % 2 ^ 32,
    math.floor((now - seconds) * 2 ^ 20), self.count % 2 ^ 12) .. self.mark
end

-- The orders that this Lua state is sending, each under its id. One whose
-- call was torn down by an error goes away with it.
local sending = setmetatable({}, { __mode = "v" })

-- Whether whoever took an order is still about to send it. Where that cannot
-- be told, for it runs on another machine, its lease decides.
local function is_busy(self, row)
  if not row.owner or self.clock() >= (tonumber(row.lease) or 0) then
    return false
  elseif row.owner == owner.current() then
    return sending[row.order_id] ~= nil
  end
  return owner.is_alive(row.owner) ~= false
end

local LOST = "the process that sent it ended before its answer was recorded"

-- Nobody is there any more to say what became of it. False where somebody
-- else has changed the order meanwhile.
local function close(self, row, state, why)
  return self.store:try(row, state, { owner = false, lease = false,
    error = why })
end

-- Whole numbers come out of a database as floats.
local function whole(number)
  number = number and math.floor(number)
  return number and math.tointeger and math.tointeger(number) or number
end

--- A row as its readers get it.
-- @tparam table row
-- @treturn table order: `id`, `key`, `state`, `task_id`, `model`, `prompt`,
--   `params`, `path`, `bytes`, `sha256`, `error`, `attempts`, `base_url`,
--   `created_at` and `updated_at` in Unix seconds
function Ledger.order_of(row)
  local params = json.decode(row.params or "")
  params = type(params) == "table" and params or {}
  return {
    id = row.order_id, key = row.order_key or row.former_key, state = row.state,
    task_id = row.task_id, model = row.model, prompt = params.prompt,
    params = params, path = row.path, bytes = whole(row.bytes),
    sha256 = row.sha256, error = row.error, attempts = row.attempts,
    base_url = row.base_url, created_at = whole(row.created_at),
    updated_at = whole(row.updated_at),
  }
end

--- The parameters of an order as they are kept; see
-- `starvideos.ledger.record`.
-- @function Ledger.text_of
Ledger.text_of = record.text

--- A path as it is kept; see `starvideos.ledger.record`.
-- @function Ledger.path_of
Ledger.path_of = record.path

-- A new order, already taken by this process; false where its key has been
-- used meanwhile.
local function insert(self, wanted)
  local now = self.clock()
  local id = new_id(self)
  local row = { order_id = id, order_key = wanted.key, state = "prepared",
    model = wanted.model, params = wanted.params, base_url = wanted.base_url,
    path = wanted.path, attempts = 0, owner = owner.current(),
    lease = now + self.lease, revision = 1, created_at = now,
    updated_at = now }
  local made, err = self.store:insert(row)
  return made and row, err
end

local function take(self, row, wanted)
  return self.store:try(row, "prepared", { owner = owner.current(),
    lease = self.clock() + self.lease, model = wanted.model or false,
    base_url = wanted.base_url, params = wanted.params,
    path = wanted.path or row.path, error = false })
end

-- The old order makes way for a new one under its key.
local function replace(self, row, wanted)
  return self.store:together(function()
    local made, err = self.store:try(row, "abandoned",
      { owner = false, lease = false })
    if made then
      made, err = insert(self, wanted)
    end
    return made, err
  end)
end

-- What is to be done about an order that is already there: "send" where it is
-- this process's now, "known", "busy", "conflict" or "unknown"; false where it
-- has changed meanwhile.
local function decide(self, row, wanted)
  local busy = is_busy(self, row)
  local err
  if row.state == "submitting" and not busy then
    row, err = close(self, row, "unknown", LOST)
    if not row then
      return row, err
    end
  end
  local open_to_changes = row.state == "refused"
    or row.state == "prepared" and not busy
  local differs = row.base_url ~= wanted.base_url
    or row.params ~= wanted.params
  if differs and not open_to_changes then
    return "conflict", row
  elseif open_to_changes then
    -- The id of a refused task must not pass for that of the next one.
    local anew = row.task_id and replace or take
    local taken
    taken, err = anew(self, row, wanted)
    return taken and "send" or taken, taken or err
  elseif row.state == "prepared" or row.state == "submitting" then
    return "busy", row
  elseif wanted.resubmit and states.may_resubmit(row.state) then
    local made
    made, err = replace(self, row, wanted)
    return made and "send" or made, made or err
  end
  return row.state == "unknown" and "unknown" or "known", row
end

--- Write an order down, or find the one that was placed under its key.
-- @tparam table wanted `key` (or nil), `model`, `params` (see
--   `starvideos.ledger.record`), `base_url`, `path` (or nil), `resubmit`
-- @treturn ?string "send": it is this process's to send; "known": it was
--   accepted before; "busy": another process is sending it; "unknown";
--   "conflict": the key stands for another order
-- @treturn table the order's row, or err of kind ledger
function Ledger:begin(wanted)
  for _ = 1, ATTEMPTS do
    local row, err
    if wanted.key then
      row, err = self.store:find("key", wanted.key)
    end
    if err then
      return nil, err
    end
    local verdict
    if row then
      verdict, row = decide(self, row, wanted)
    else
      row, err = insert(self, wanted)
      verdict, row = row and "send" or row, row or err
    end
    if verdict or verdict == nil then
      return verdict, row
    end
  end
  return nil, self.store:failure("written", "others keep changing the order of"
    .. " key " .. tostring(wanted.key))
end

--- Hold an order as one that this Lua state is sending.
-- @tparam table row as `begin` gave it
-- @tparam ?table holder whose life the hold is bound to; nil ends it
function Ledger.hold(row, holder)
  sending[row.order_id] = holder
end

--- Whether an order was taken by this Lua state.
-- @tparam table row
-- @treturn boolean
function Ledger.is_ours(row)
  return row.owner == owner.current()
end

--- The order is about to be sent.
-- @tparam table row as `begin` gave it
-- @treturn ?table row; nil where another process has taken it
-- @treturn ?table err
function Ledger:submitting(row)
  local after, err = self.store:try(row, "submitting", {
    attempts = (tonumber(row.attempts) or 0) + 1,
    owner = owner.current(), lease = self.clock() + self.lease, error = false })
  if after == false then
    return nil, self.store:failure("written", "another process has taken the"
      .. " order " .. row.order_id)
  end
  return after, err
end

--- The order was certainly not accepted.
-- @tparam table row
-- @tparam string why
-- @tparam number pause seconds until it is sent again; nil where it is not
-- @treturn ?table row
-- @treturn ?table err
function Ledger:unsent(row, why, pause)
  local after, err = self.store:try(row, "prepared", { error = why,
    owner = pause and owner.current() or false,
    lease = pause and self.clock() + pause + self.lease or false })
  -- Who has taken it meanwhile may be sending it: that stands.
  return after == false and row or after, err
end

--- How the sending of an order ended.
-- @tparam table row
-- @tparam string state accepted, refused or unknown
-- @tparam table changes `task_id`, `error`
-- @treturn ?table row
-- @treturn ?table err
function Ledger:settle(row, state, changes)
  local after, err = self.store:settle(row, state, { owner = false,
    lease = false, task_id = changes.task_id, error = changes.error or false })
  -- An answer that came after its order was given up: what was bought stays
  -- on record all the same.
  if after and after.state == "abandoned" and changes.task_id then
    return self.store:settle(after, "abandoned",
      { task_id = changes.task_id })
  end
  return after, err
end

local function settle_task(self, id, state, changes)
  local rows, err = self.store:all("task", id)
  for _, row in ipairs(rows or {}) do
    local says_so = row.state == state and not changes.path
    if states.allows(row.state, state) and not says_so then
      local ok
      ok, err = self.store:settle(row, state, changes)
      if not ok then
        return nil, err
      end
    end
  end
  return rows and true, err
end

--- A task was seen: it has ended, or an order that was thought lost has not.
-- @tparam table task
-- @treturn ?boolean true
-- @treturn ?table err
function Ledger:seen(task)
  local state = tasks.is_terminal(task) and task.status or "accepted"
  local why = type(task.error) == "string" and redact.urls(task.error)
  return settle_task(self, task.id, state, { error = why or false })
end

--- The video of a task is on disk and about to get its name: should the
-- process die then, the file is known again by what is noted here.
-- @tparam string id the task's
-- @tparam table file `path`, `bytes`, `sha256`
-- @treturn ?boolean true
-- @treturn ?table err
function Ledger:placing(id, file)
  return settle_task(self, id, "completed", { path = record.path(file.path),
    bytes = file.bytes, sha256 = file.sha256 })
end

--- The video of a task is on disk.
-- @tparam string id the task's
-- @tparam table file `path`, `bytes`, `sha256`
-- @treturn ?boolean true
-- @treturn ?table err
function Ledger:downloaded(id, file)
  return settle_task(self, id, "downloaded", { path = record.path(file.path),
    bytes = file.bytes, sha256 = file.sha256 })
end

--- The order of a task.
-- @tparam string id the task's
-- @treturn ?table row
-- @treturn ?table err
function Ledger:of_task(id)
  return self.store:find("task", id)
end

-- What an order becomes when nobody is there to go on with it: one that was
-- being sent may have arrived; one that was not, and that no key leads back
-- to, will never be sent.
local function fate(self, row)
  if row.state == "submitting" and not is_busy(self, row) then
    return "unknown", LOST
  elseif row.state == "prepared" and not row.order_key
    and not is_busy(self, row) then
    return "refused", "it was never sent: its process ended before"
  end
end

-- An order as it stands, its fate settled where its process died.
local function settled(self, row)
  for _ = 1, ATTEMPTS do
    local state, why = fate(self, row)
    if not state then
      return row
    end
    local after, err = close(self, row, state, why)
    if after == false then
      after, err = self.store:find("id", row.order_id)
    end
    if not after then
      return nil, err
    end
    row = after
  end
  return nil, self.store:failure("written", "others keep changing the order "
    .. row.order_id)
end

--- What is open, oldest first. The fate of orders whose process died is
-- settled first.
-- @tparam number limit rows at most
-- @tparam ?string after id of the last order of the page before
-- @treturn ?table rows
-- @treturn ?string|table where more may follow the `after` of the next page;
--   or err
function Ledger:pending(limit, after)
  local page, err = self.store:open(limit, after)
  if not page then
    return nil, err
  end
  local rows = {}
  for _, row in ipairs(page) do
    row, err = settled(self, row)
    if not row then
      return nil, err
    elseif states.is_open(row.state) then
      rows[#rows + 1] = row
    end
  end
  return rows, #page == limit and page[limit].order_id or nil
end

--- The order of a key.
-- @tparam string key
-- @treturn ?table row
-- @treturn ?table err
function Ledger:of_key(key)
  return self.store:find("key", key)
end

-- The order of an id as it stands, or an error where there is none.
local function look_up(self, id)
  local row, err = self.store:find("id", id)
  if not row then
    return nil, err or errors.new { kind = "not_found",
      message = "the ledger holds no order " .. id }
  end
  return settled(self, row)
end

-- What was bought and can still be had.
local bought = { accepted = true, completed = true }

local function refused(row, verb)
  local message = ("the order %s is %s and cannot be %s"):format(row.order_id,
    row.state, verb)
  if bought[row.state] then
    message = message .. (": the task %s was bought, and can still be had")
      :format(tostring(row.task_id))
  end
  return errors.new { kind = "validation", message = message,
    task_id = row.task_id }
end

-- A person's decision about an order. Made for the order as it was looked at:
-- where somebody has changed it meanwhile it is looked at again.
local function decided(self, id, verb, may, state, changes)
  local seen
  for _ = 1, ATTEMPTS do
    local row, err = look_up(self, id)
    seen = seen or row and row.state
    if not row then
      return nil, err
    elseif is_busy(self, row) or row.state ~= seen or not may(seen) then
      return nil, refused(row, verb)
    end
    local after
    after, err = self.store:try(row, state, changes)
    if after ~= false then
      return after, err
    end
  end
  return nil, self.store:failure("written", "others keep changing the order "
    .. id)
end

--- Give an order up that nobody will wait for.
-- @tparam string id of the order
-- @tparam ?boolean force also one that was bought and can still be had
-- @treturn ?table row
-- @treturn ?table err validation where it is being sent, or was bought
function Ledger:dismiss(id, force)
  return decided(self, id, "dismissed", function(state)
    return states.allows(state, "abandoned") and (force or not bought[state])
  end, "abandoned", { owner = false, lease = false })
end

--- Give an order of unknown fate its task.
-- @tparam string id of the order
-- @tparam string task_id
-- @treturn ?table row
-- @treturn ?table err validation where its fate is known
function Ledger:adopt(id, task_id)
  return decided(self, id, "given a task", function(state)
    return state == "unknown"
  end, "accepted", { owner = false, lease = false, task_id = task_id,
    error = false })
end

--- Close the connection.
function Ledger:close()
  self.store:close()
end

--- A ledger; nothing is opened before it is needed.
-- @tparam table options `address` (path of a SQLite file, or a `postgres://`
--   URL), `fsync`, `clock` (Unix seconds), `random`, `timeout` (seconds that
--   one exchange may take)
-- @treturn table ledger
function _M.new(options)
  local address = options.address
  if databases.is_path(address) then
    address = record.path(address) -- for a program that goes elsewhere later
  end
  return setmetatable({
    store = stores.new(address, options.fsync, options.clock),
    clock = options.clock,
    random = options.random,
    lease = options.timeout + LEASE_MARGIN,
  }, Ledger)
end

return _M
