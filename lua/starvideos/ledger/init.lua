--- What was ordered, on disk: before an order is sent it is written down, and
-- its id before `create` returns. Several processes may share one ledger.
--
-- This is the face that operations see: it knows who asks, what time it is,
-- and which orders this Lua state is sending. What is decided stands in
-- `starvideos.ledger.orders`, which it asks through one function.
-- @classmod starvideos.ledger

local core = require "starvideos.core"
local errors = require "starvideos.errors"
local owner = require "starvideos.ledger.owner"
local locations = require "starvideos.ledger.location"
local record = require "starvideos.ledger.record"
local redact = require "starvideos.redact"
local proxy = require "starvideos.ledger.proxy"
local tasks = require "starvideos.api.task"

local unpack = table.unpack or unpack

local _M = {}

local Ledger = {}
Ledger.__index = Ledger

-- Beyond the time an exchange may take: for the way to the first byte.
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

-- The orders that this Lua state is sending, each under its id, and under what
-- names it in its ledger. One whose call an error has ended goes away
-- with it.
local sending = setmetatable({}, { __mode = "v" })
local naming = setmetatable({}, { __mode = "v" })

-- What could not be written yet, by the address of its ledger: for each order
-- the last that became of it, the oldest first. It is written before anything
-- else, whoever asks next.
local unwritten = {}

local function who_of(self, with_held)
  local held
  if with_held then
    held = {}
    for id in pairs(sending) do
      held[id] = true
    end
    for _, entry in ipairs(unwritten[self.address] or {}) do
      held[entry.row.order_id] = true
    end
  end
  return { owner = owner.current(), now = self.clock(),
    boottime = self.boottime(), clock = owner.clock(), held = held }
end

-- Errors come from the orders as plain data.
local function received(value, problem)
  if value == nil and type(problem) == "table" then
    return nil, errors.new(problem)
  end
  return value, problem
end

-- For how long an entry may be under way; who wrote it may be killed meanwhile.
local UNDER_WAY_SECONDS = 60

local function write_one(self, entry)
  entry.under_way = core.now()
  local row, err = self.caller(entry.method, who_of(self), entry.row,
    unpack(entry, 1, 2))
  entry.under_way = nil
  if row and row.late_task then
    self.report(record.order(row), row.late_task)
  end
  entry.result, entry.err = row, err
  return row or err.gone, err
end

local function is_under_way(entry)
  return entry.under_way and core.now() < entry.under_way + UNDER_WAY_SECONDS
end

local function remove(list, entry)
  for index, other in ipairs(list) do
    if other == entry then
      return table.remove(list, index)
    end
  end
end

-- What is left of what could not be written, the oldest first. What somebody
-- else is writing comes before whatever is asked from now on.
local function write_all(self)
  local list, index = unwritten[self.address] or {}, 1
  while list[index] do
    local entry = list[index]
    if is_under_way(entry) then
      index = index + 1
    else
      local done, err = write_one(self, entry)
      if not done then
        return nil, err
      end
      remove(list, entry)
      index = 1 -- it may have changed meanwhile
    end
  end
  return true
end

-- Where what is unwritten still cannot be written, nothing new is begun. Who
-- looks at orders, `with_held`, is to see it as well, though another client's
-- thread would write it in a moment. The rest a thread sees to itself, and
-- nobody waits for that.
local function ask_with(self, with_held, method, ...)
  local ok, err = true, nil
  if self.orders or with_held or method == "begin" then
    ok, err = write_all(self)
  end
  if not ok and method == "begin" then
    return received(nil, err)
  end
  return received(self.caller(method, who_of(self, with_held), ...))
end

local function ask(self, method, ...)
  return ask_with(self, false, method, ...)
end

-- What must come to be on record, now or as soon as the ledger can be written.
local function insist(self, method, row, ...)
  local list = unwritten[self.address] or {}
  unwritten[self.address] = list
  for index = #list, 1, -1 do
    if list[index].row.order_id == row.order_id then
      table.remove(list, index)
    end
  end
  local entry = { method = method, row = row, ... }
  list[#list + 1] = entry
  local ok, err = write_all(self)
  if entry.result then
    return entry.result
  end
  return received(nil, not ok and err or entry.err)
end

--- A row as its readers get it; see `starvideos.ledger.record`.
-- @function Ledger.order_of
Ledger.order_of = record.order

--- The parameters of an order as they are kept; see
-- `starvideos.ledger.record`.
-- @function Ledger.text_of
Ledger.text_of = record.text

--- The name of this machine, of which the paths of its orders are.
-- @function Ledger.machine
Ledger.machine = owner.host

--- A path as it is kept; see `starvideos.ledger.record`.
-- @function Ledger.path_of
Ledger.path_of = record.path

--- The key of an order: the caller's, else its path, for a file is what is
-- wanted. Where many machines share a ledger a path is one of this machine.
-- @tparam table options `key` and `path`, or neither
-- @treturn ?string key
function Ledger:key_of(options)
  local path = not options.key and record.path(options.path)
  if path and self.is_shared then
    path = owner.host() .. ":" .. path
  end
  return record.name(options.key) or path or nil
end

-- What a parent is sending is not its child's to wait for in memory.
local function name_in(self, wanted)
  return wanted.key and ("%d\0%s\0%s\0%d\0%s"):format(core.process_id(),
    self.address, wanted.account, wanted.take or 1, wanted.key)
end

-- What names an order within its ledger, from its row.
local function name_of(self, row)
  return name_in(self, { key = row.order_key, take = row.take,
    account = row.account })
end

--- Write an order down, or find the one that was placed under its key and take.
-- @tparam table wanted see `orders:begin`; without `id`, `account` and `machine`
-- @tparam table holder who is going to send it: the order is held for as long
--   as this table lives, or until `release`
-- @treturn ?string see `orders:begin`
-- @treturn table the order's row, or err of kind ledger
function Ledger:begin(wanted, holder)
  wanted.id, wanted.account = new_id(self), self.account
  wanted.machine = wanted.path and owner.host()
  local name = name_in(self, wanted)
  if name and naming[name] then
    return "busy", naming[name].row or { owner = owner.current() }
  end
  sending[wanted.id] = holder
  if name then
    naming[name] = holder
  end
  local verdict, row = ask(self, "begin", wanted)
  sending[wanted.id] = nil
  if verdict == "send" then
    sending[row.order_id] = holder
  elseif name then
    naming[name] = nil
  end
  return verdict, row
end

--- Hold an order no longer: its sending has ended.
-- @tparam table row
function Ledger:release(row)
  sending[row.order_id] = nil
  local name = name_of(self, row)
  if name then
    naming[name] = nil
  end
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
  return ask(self, "submitting", row)
end

--- The order still waits for its turn to be sent.
-- @tparam table row
-- @treturn ?table row; nil where another process has taken it
-- @treturn ?table err
function Ledger:renew(row)
  return ask(self, "renew", row)
end

--- The order was certainly not accepted. Where that cannot be written now it
-- is before anything else.
-- @tparam table row
-- @tparam string why
-- @tparam ?number pause seconds until it is sent again; nil where it is not
-- @treturn ?table row
-- @treturn ?table err
function Ledger:unsent(row, why, pause)
  return insist(self, "unsent", row, why, pause)
end

--- How the sending of an order ended. Where that cannot be written now it is
-- before anything else, for as long as the process lives.
-- @tparam table row
-- @tparam string state accepted, failed, cancelled, refused or unknown
-- @tparam table changes `task_id`, `task_created`, `error`
-- @treturn ?table row; with `late_task` where the order had moved on, and the
--   task was recorded beside it
-- @treturn ?table err
function Ledger:resolve(row, state, changes)
  return insist(self, "resolve", row, state, changes)
end

--- A task was seen: it has ended, or an order that was thought lost has not.
-- @tparam table task
-- @treturn ?boolean true
-- @treturn ?table err
function Ledger:seen(task)
  local state = tasks.is_terminal(task) and task.status or "accepted"
  local why = type(task.error) == "string" and redact.urls(task.error)
  return ask(self, "seen", task.id, state, why or nil)
end

--- The provider does not know a task.
-- @tparam string id the task's
-- @treturn ?boolean true
-- @treturn ?table err
function Ledger:missing(id)
  return ask(self, "missing", id)
end

local function as_kept(file)
  return { path = record.path(file.path), machine = owner.host(),
    bytes = file.bytes, sha256 = file.sha256 }
end

--- The video of a task is on disk and about to get its name: should the
-- process die then, the file is known again by what is noted here.
-- @tparam string id the task's
-- @tparam table file `path`, `bytes`, `sha256`
-- @treturn ?boolean true
-- @treturn ?table err
function Ledger:placing(id, file)
  return ask(self, "placing", id, as_kept(file))
end

--- The video of a task is on disk.
-- @tparam string id the task's
-- @tparam table file `path`, `bytes`, `sha256`
-- @treturn ?boolean true
-- @treturn ?table err
function Ledger:downloaded(id, file)
  return ask(self, "downloaded", id, as_kept(file))
end

--- The order of a task.
-- @tparam string id the task's
-- @treturn ?table row; nil where there is none
-- @treturn ?table err
function Ledger:of_task(id)
  return ask(self, "of_task", id)
end

local function named(self, id, take)
  return { id = record.name(id), take = take, account = self.account }
end

--- An order by its id, or by its key and take.
-- @tparam string id or key
-- @tparam[opt=1] number take
-- @treturn ?table row
-- @treturn ?table err not_found where there is none
function Ledger:order(id, take)
  return ask_with(self, true, "look_up", named(self, id, take))
end

--- An order as a person names it: also by its path, where that is its key.
-- @tparam string id, key or path
-- @tparam[opt=1] number take
-- @treturn ?table row
-- @treturn ?table err not_found where there is none
function Ledger:find(id, take)
  local row, err = self:order(id, take)
  if row or err.kind ~= "not_found" then
    return row, err
  end
  return self:order(self:key_of { path = id }, take), err
end

--- What is open, or all there is, oldest first. The fate of orders whose
-- process died is settled first.
-- @tparam number limit rows at most
-- @tparam ?string after id of the last order of the page before
-- @tparam ?boolean all
-- @treturn ?table rows
-- @treturn ?string|table where more may follow the `after` of the next page;
--   or err
function Ledger:pending(limit, after, all)
  return ask_with(self, true, "pending", limit, after, all)
end

--- Give an order up that nobody will wait for; its take is spent. Or take note
-- of what came late for one that has ended.
-- @tparam string id of the order, or its key
-- @tparam ?table options `take` (1, of a key), `force`: also one that was
--   bought and can still be had, or whose process has let its lease run out
-- @treturn ?table row
-- @treturn ?table err validation where it is being sent, or was bought
function Ledger:dismiss(id, options)
  options = options or {}
  return ask_with(self, true, "dismiss", named(self, id, options.take),
    options.force)
end

--- Give an order of unknown fate its task.
-- @tparam string id of the order, or its key
-- @tparam string task_id
-- @tparam[opt=1] number take of a key
-- @treturn ?table row
-- @treturn ?table err validation where its fate is known
function Ledger:adopt(id, task_id, take)
  return ask_with(self, true, "adopt", named(self, id, take), task_id)
end

--- Say of which account an order is, and all the takes of its key with it.
-- @tparam string id of the order, or its key
-- @tparam string account
-- @tparam[opt=1] number take of a key
-- @treturn ?table row
-- @treturn ?table err validation where it is another's, or being sent
function Ledger:label(id, account, take)
  return ask_with(self, true, "label",
    { id = record.name(id), take = take, account = "" }, record.name(account))
end

--- Close the connection; what could not be written yet is tried once more,
-- unless that is a thread's own business.
function Ledger:close()
  if self.orders then
    write_all(self)
  end
  self.caller("close", who_of(self))
end

-- Asks the orders, on this thread.
local function inline(_, options)
  local orders = require("starvideos.ledger.orders").new(options)
  return function(method, caller, ...)
    return orders[method](orders, caller, ...)
  end, orders
end

--- A ledger; nothing is opened before it is needed.
-- @tparam table options `address` (path of a SQLite file, or a `postgres://`
--   URL), `fsync`, `clock` (Unix seconds), `boottime` (of the machine),
--   `random`, `timeout` (seconds that one exchange may take), `account` (the
--   label of the orders' account, none), `report` (called with an order and
--   the id of a task that came when the order had moved on), `runtime`
--   (without one all is done on this thread), and `blocks`: whether that may
--   wait for a file here
-- @treturn ?table ledger
-- @treturn ?string why not: an address that is none
function _M.new(options)
  local location, why = locations.read(options.address)
  if not location then
    return nil, why
  end
  local address = location.path and record.absolute(location.address)
    or location.address -- a path holds also for a program that goes elsewhere
  local self = setmetatable({
    address = address,
    is_shared = location.server,
    account = record.name(options.account or ""),
    clock = options.clock,
    boottime = options.boottime or core.boottime,
    random = options.random,
    report = options.report or function() end,
    lease = options.timeout + LEASE_MARGIN,
  }, Ledger)
  local away = options.runtime and (location.server or not options.blocks)
  local way = away and proxy.new or inline
  self.caller, self.orders = way(options.runtime, { address = address,
    fsync = options.fsync, lease = self.lease }, location.server)
  return self
end

return _M
