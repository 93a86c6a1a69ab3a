-- What was ordered, on disk: an order is recorded before it is sent, and its task
-- before `create` returns. Several processes may share one ledger.
--
-- This is the face that operations see: it knows the caller, the time, and which orders
-- this Lua state is sending. Decisions are made by `ledger.tasks`, asked through one
-- function. It knows no host and no HTTP.

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local errors = require "starvideos.errors"
local event_outbox = require "starvideos.ledger.event_outbox"
local owner = require "starvideos.ledger.owner"
local locations = require "starvideos.ledger.location"
local memory = require "starvideos.ledger.memory"
local methods = require "starvideos.ledger.methods"
local record = require "starvideos.ledger.record"
local thread = require "starvideos.ledger.thread"

local unpack = table.unpack or unpack

local _M = {}

local Ledger = {}
Ledger.__index = Ledger

-- Seconds of a lease beyond those an exchange may take, for connecting.
local LEASE_MARGIN = 60

-- Of an id: its time in so many parts of a second, and how many may have the same.
local TICKS, COUNTS = 2 ^ 20, 2 ^ 12

-- The end of an id, which no other process and no other ledger has.
local function mark_of(self)
  local bytes = core.random_bytes(8) or ("????????"):gsub("%?", function()
    return string.char(math.floor(self.random() * 256))
  end)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

-- Make the id of an order, or of what else has one. Ids sort by time to the
-- microsecond, then by the order they were made in.
function Ledger:new_id()
  local ids = self.ids
  if ids.process ~= owner.current() then
    ids.process, ids.mark = owner.current(), mark_of(self)
    ids.tick, ids.count = -1, 0
  end
  local tick = math.floor(self.clock() * TICKS)
  ids.count = ids.count + 1
  if tick > ids.tick then
    ids.tick, ids.count = tick, 0
  elseif ids.count == COUNTS then -- the clock stands still, or was set back
    ids.tick, ids.count = ids.tick + 1, 0
  end
  return ("%08x%05x%03x"):format(math.floor(ids.tick / TICKS) % 2 ^ 32,
    ids.tick % TICKS, ids.count) .. ids.mark
end

-- What holds the orders that this Lua state is sending, by their ids, and by what
-- names them in their ledger. The collector removes a holder whose call ended
-- with an error.
local sending = setmetatable({}, { __mode = "v" })
local naming = setmetatable({}, { __mode = "v" })

local function caller_of(self, with_held)
  local held
  if with_held then
    held = {}
    for id in pairs(sending) do
      held[id] = true
    end
    for _, entry in ipairs(memory.backlogs[self.address] or {}) do
      held[entry.row.order_id] = true
    end
  end
  return { owner = owner.current(), worker = self.worker,
    tolerates = self.tolerates, base_url = self.base_url,
    account = not self.serves_all and self.account or nil, now = self.clock(),
    boottime = self.boottime(), clock = owner.clock(), held = held }
end

-- The orders return errors as plain data.
local function received(value, problem)
  if value == nil and type(problem) == "table" then
    return nil, errors.new(problem)
  end
  return value, problem
end

-- Calls the orders. What has changed is told later, to the client `by` whose order
-- it is.
local function call(self, by, method, caller, ...)
  local hearing = by.hearing
  if not hearing then
    return self.call(method, caller, ...)
  end
  caller.listener, caller.heard = hearing.id, hearing.count
  local result, problem, news = self.call(method, caller, ...)
  hearing:learn_rows(result)
  hearing:learn_rows(problem)
  if news then
    hearing:take(news, self.hearing or hearing)
  end
  return result, problem
end

-- For how long a write counts as under way; its caller may be killed meanwhile.
local UNDER_WAY_SECONDS = 60

local function write(self, entry)
  entry.under_way = core.now()
  local row, err = call(self, entry.by, entry.method, caller_of(self),
    entry.row, unpack(entry, 1, 2))
  entry.under_way = nil
  entry.result, entry.err = row, err
  return row or err.gone, err
end

-- For how long a write is left alone that the database does not take, though it takes
-- others.
local ALONE_SECONDS = 60

local function is_left_alone(entry)
  return entry.under_way and core.now() < entry.under_way + UNDER_WAY_SECONDS
    or entry.again_at and core.now() < entry.again_at
end

local function remove(list, entry)
  for index, other in ipairs(list) do
    if other == entry then
      return table.remove(list, index)
    end
  end
end

-- Writes the backlog, the oldest first. What another caller is writing will be
-- done before whatever is asked from now on. What harms its own row alone holds up
-- nothing else.
local function flush(self)
  local list, index = memory.backlogs[self.address] or {}, 1
  while list[index] do
    local entry = list[index]
    if is_left_alone(entry) then
      index = index + 1
    else
      local done, err = write(self, entry)
      if done then
        remove(list, entry)
      elseif err.alone then
        entry.again_at = core.now() + ALONE_SECONDS
      else
        return nil, err
      end
      index = 1 -- the list may have changed meanwhile
    end
  end
  return true
end

local function told(self, method, ...)
  if self.hearing and not methods[method].silent then
    self.hearing:tell()
  end
  return ...
end

-- Ask the orders. Nothing new is begun while the backlog cannot be written. Where the
-- caller looks at orders it must see the backlog, too, though the thread of another
-- client would write that in a moment; otherwise a thread writes it later, and no
-- caller waits for it. `method`: a row of `starvideos.ledger.methods`. `...`: its
-- completed arguments. Returns the two results of what it runs.
function Ledger:ask(method, ...)
  local row = methods[method]
  local ok, err = true, nil
  if self.orders or row.sees_held or method == "begin" then
    ok, err = flush(self)
  end
  if not ok and row.buys then
    return received(nil, err)
  end
  return told(self, method, received(call(self, self, method,
    caller_of(self, row.sees_held), ...)))
end

-- Writes what must be recorded, now or as soon as the ledger can be written.
local function record_surely(self, method, row, ...)
  local list = memory.backlogs[self.address] or {}
  memory.backlogs[self.address] = list
  for index = #list, 1, -1 do
    if list[index].row.order_id == row.order_id then
      table.remove(list, index)
    end
  end
  local entry = { method = method, row = row, by = self, ... }
  list[#list + 1] = entry
  local ok, err = flush(self)
  if entry.result then
    return entry.result
  end
  return received(nil, not ok and err or entry.err)
end

--- A row as its readers get it; see `starvideos.ledger.record`.
Ledger.order_of = record.order

--- The parameters of an order as they are kept; see
-- `starvideos.ledger.record`.
Ledger.text_of = record.text

--- The name of this machine, whose paths its orders have.
Ledger.machine = owner.host

--- A path as it is kept; see `starvideos.ledger.record`.
Ledger.path_of = record.path

--- A name as it is kept; see `starvideos.ledger.record`.
Ledger.name_of = record.name

--- What was seen of a task; see `starvideos.ledger.record`.
Ledger.seen_of = record.seen

-- The key of an order: the caller's, else the path of the file itself. Where many
-- machines share a ledger the name of this one is before the path. `options`: `key`; or
-- `path`, with `given` (an absolute one) that of the file itself already; or neither;
-- and perhaps an `other_key`. Returns another under which an order of it may be
-- recorded: the path as it was given.
function Ledger:key_of(options)
  if options.key or not options.path then
    return record.name(options.key), record.name(options.other_key)
  end
  local machine = self.is_shared and owner.host() .. ":" or ""
  local file = options.given and options.path or record.real(options.path)
  local key = machine .. record.file_key(file)
  local given = machine .. record.path(options.given or options.path)
  local other = given ~= key and given or record.name(options.other_key)
  return key, other ~= key and other or nil
end

-- By its process as well: a child does not wait for what its parent is sending.
local function name_in(self, wanted)
  return wanted.key and ("%d\0%s\0%s\0%d\0%s"):format(core.process_id(),
    self.address, wanted.account, wanted.take or 1, wanted.key)
end

-- The same, from the row of an order.
local function name_of(self, row)
  return name_in(self, { key = row.order_key, take = row.take,
    account = row.account })
end

-- The order is on its way: the limits that kept others back did not keep this one.
local function passed(self, row)
  memory.remember(self.address, row)
  if self.hearing then
    self.hearing:passed(row, self.clock())
  end
end

-- Record an order, or find the one that was placed under its key and take. `wanted`:
-- see `orders.begin`; without `id`, `account` and `machine`. `holder`: of the order: it
-- is held until the collector frees this table, or until `release`. Returns the order's
-- row, or err of kind ledger.
function Ledger:begin(wanted, holder)
  wanted.id, wanted.account = self:new_id(), self.account
  wanted.machine = wanted.path and owner.host()
  local name = name_in(self, wanted)
  if name and naming[name] then
    return "busy", naming[name].row or { owner = owner.current() }
  end
  local ok, err = self:recall(wanted)
  if not ok then
    return nil, err
  end
  sending[wanted.id] = holder
  if name then
    naming[name] = holder
  end
  local verdict, row = self:ask("begin", wanted)
  sending[wanted.id] = nil
  if name then
    naming[name] = nil
  end
  if verdict == "send" then
    self:keep(row, holder) -- by its own key, which may be the other one
    if row.state == "submitting" then
      passed(self, row)
    end
  end
  return verdict, row
end

-- Hold an order of the queue that this Lua state is about to send: until the collector
-- frees the holder, or until `release`.
function Ledger:keep(row, holder)
  sending[row.order_id] = holder
  local name = name_of(self, row)
  if name then
    naming[name] = holder
  end
end

-- Stop holding an order: its sending has ended.
function Ledger:release(row)
  sending[row.order_id] = nil
  local name = name_of(self, row)
  if name then
    naming[name] = nil
  end
end

-- Whether this Lua state is sending an order.
function Ledger.is_sending(order_id)
  return sending[order_id] ~= nil
end

-- Whether an order was taken by this Lua state.
function Ledger.is_ours(row)
  return row.owner == owner.current()
end

-- What holds an order in this Lua state.
function Ledger.holder_of(row)
  return row.order_id and sending[row.order_id]
end

-- The order is about to be sent. `row`: as `begin` gave it. Returns row; nil where
-- another process has claimed it.
function Ledger:submitting(row)
  local after, err = self:ask("submitting", row)
  if after then
    passed(self, after)
  elseif self.hearing and err.kind == "limited" then
    self.hearing:limited(row, err, self.clock())
  end
  return after, err
end

-- The order was not accepted, that is certain. Where this cannot be written now it is
-- written before anything else. `pause`: seconds until it is sent again; nil: it is
-- not.
function Ledger:unsent(row, why, pause)
  memory.forget(self.address, row)
  return record_surely(self, "unsent", row, why, pause)
end

-- How the sending of an order ended. Where this cannot be written now it is written
-- before anything else, for as long as the process runs. `state`: accepted, failed,
-- cancelled, refused or unknown. `changes`: `task_id`, `task_created`, `error`.
function Ledger:resolve(row, state, changes)
  if state == "refused" then
    memory.forget(self.address, row)
  else
    memory.remember(self.address, row, state, changes)
  end
  return record_surely(self, "resolve", row, state, changes)
end

local function look_up(self, id, take, other)
  local name = { id = record.name(id), other = other, take = take,
    account = self.account }
  self:recall { key = name.id, other_key = other, take = take,
    account = self.account }
  return self:ask("look_up", name)
end

-- An order by its id, or by its key and take. `take`:  (default 1). Returns err
-- not_found where there is none.
function Ledger:order(id, take)
  return look_up(self, id, take)
end

-- The order that was placed with these options. `options`: see `key_of`; and `take`.
-- Returns err not_found where there is none.
function Ledger:placed(options)
  local key, other = self:key_of(options)
  return look_up(self, key, options.take, other)
end

-- An order as a person names it: by its path, too, where that is its key. `id,`: key or
-- path. `take`:  (default 1). Returns err not_found where there is none.
function Ledger:find(id, take)
  local row, err = self:order(id, take)
  if row or err.kind ~= "not_found" then
    return row, err
  end
  return self:placed { path = id, take = take }, err
end

-- Record an order that the ledger has forgotten, of which its id and its task are all
-- that is known. `id`: of the order.
function Ledger:adopt_forgotten(id, task)
  return self:resolve({ order_id = id, take = 1, account = self.account,
    model = task.model, params = "{}", base_url = self.base_url, attempts = 1 },
    "accepted", { task_id = task.id, task_created = task.created })
end

-- The ledger for a worker that is for the orders of all accounts, or that does not mind
-- failed tasks. `manner`: `serves_all`: what keeps its orders back is of all accounts;
-- `tolerates`: failed tasks in a row do not halt the queue.
function Ledger:with(manner)
  return setmetatable(manner, { __index = self })
end

for name, method in pairs(memory.methods) do
  Ledger[name] = method
end

local function asked(self, name, ...)
  local result, problem = self:ask(name, ...)
  local after = methods[name].after
  if after then
    return after(self, result, problem, ...)
  end
  return result, problem
end

-- The other methods are rows of the table alone.
for name, row in pairs(methods) do
  Ledger[name] = Ledger[name] or function(self, ...)
    if row.with then
      return asked(self, name, row.with(self, ...))
    end
    return asked(self, name, ...)
  end
end

-- Why nobody else reads what is recorded here. Returns err, see
-- `starvideos.ledger.store`; nil where others do.
function Ledger:lost()
  local _, err = self:ask("check_kept")
  return err and err.misplaced and err or nil
end

-- Tell the client's listener what has changed; to be called once an order that was
-- being sent has its outcome on record. Other calls do it themselves. Raises what the
-- listener raises.
function Ledger:tell()
  if self.hearing then
    self.hearing:tell()
  end
end

-- The order of a task, as far as it is known without a question. Returns its id; nil
-- also where nobody listens.
function Ledger:order_of_task(task_id)
  if self.hearing then
    return self.hearing:order_of(task_id)
  end
end

--- Close the connection. What could not be written yet is tried once more; where
-- there is a thread, by that.
function Ledger:close()
  if self.orders then
    flush(self)
  end
  self.call("close", caller_of(self))
  self:tell()
end

-- Calls the orders on this thread, which may be the host's: a file that grows
-- beyond its limit must not end the process.
local function inline(_, options)
  databases.check(options.address) -- loads LuaDBI: later it may not be found
  local news = require "starvideos.ledger.changes"
  local orders = require("starvideos.ledger.tasks").new(options)
  return function(...)
    local result, problem, list = core.with_signals_held(news.during, orders, ...)
    return result, problem, list and { list = list }
  end, orders
end

-- A ledger; nothing is opened before it is needed. `options`: `address` (path of a
-- SQLite file, or a `postgres://` URL), `fsync`, `clock` (Unix seconds), `boottime` (of
-- the machine), `random`, `timeout` (seconds that one exchange may take), `account`
-- (the label of the orders' account, none), `base_url` (of the provider), `tell`
-- (called with each event; nil: nobody listens), `runtime` (without one everything is
-- done on this thread), and `blocks`: whether this thread may wait for a file. Returns
-- why not: an address that cannot be read, or a link to nothing, of which nobody can
-- tell whether several machines share what it leads to.
function _M.new(options)
  local location, why = locations.read(options.address)
  if not location then
    return nil, why
  end
  local address = location.path and record.absolute(location.address)
    or location.address -- absolute, for the program may change its directory
  local real, problem
  if location.path then
    real, problem = core.real(address)
  end
  if problem and not core.kind(address) then
    return nil, ("%s: %s; make an empty file there, or name the file itself")
      :format(address, problem)
  end
  local self = setmetatable({
    address = real or address, -- one name of one file
    ids = {},
    is_shared = location.server,
    account = record.name(options.account or ""),
    base_url = options.base_url or "",
    clock = options.clock,
    boottime = options.boottime or core.boottime,
    random = options.random,
    hearing = event_outbox.new(options.tell, options.base_url or ""),
    lease = options.timeout + LEASE_MARGIN,
  }, Ledger)
  local is_away = options.runtime and (location.server or not options.blocks)
  local connect = is_away and thread.new or inline
  self.call, self.orders = connect(options.runtime, { address = address,
    fsync = options.fsync, lease = self.lease }, location.server)
  return self
end

return _M
