-- What a ledger's thread runs, in a Lua state of its own: it answers messages by
-- calling the orders, and retries what could not be written. Nothing here belongs to
-- the Lua state that asks; `starvideos.ledger.thread` is the other end.

local core = require "starvideos.core"
local changes = require "starvideos.ledger.changes"
local methods = require "starvideos.ledger.methods"
local tasks = require "starvideos.ledger.tasks"

local unpack = table.unpack or unpack

-- After how many tries a write is dropped, each while another one succeeded.
local TRIES = 3

-- A failure that took longer has waited for a server: one wait is enough.
local LONG_SECONDS = 1

local function is_outage(result, problem)
  return result == nil and type(problem) == "table"
    and problem.kind == "ledger" and not problem.gone and not problem.fenced
    and not problem.alone
end

-- The events that a client has not confirmed yet, by the number of its listener: the
-- answer with which they went may have been lost, and what is written from the backlog
-- is nobody's answer. They are numbered, so that each is told once.

-- A message tells of the last event that its client has got (`heard`).
local function confirm(unconfirmed, caller)
  local entry = unconfirmed[caller.listener]
  if not caller.listener then
    return
  elseif not entry then
    unconfirmed[caller.listener] = { first = caller.heard + 1, list = {} }
    return
  end
  local rest = {}
  for index = caller.heard - entry.first + 2, #entry.list do
    rest[#rest + 1] = entry.list[index]
  end
  entry.first, entry.list = caller.heard + 1, rest
end

local function add(unconfirmed, caller, list)
  local entry = unconfirmed[caller.listener]
  for _, event in ipairs(list or {}) do
    entry.list[#entry.list + 1] = event
  end
end

local function unconfirmed_of(unconfirmed, caller)
  local entry = unconfirmed[caller.listener]
  return entry and entry.list[1] and entry or nil
end

local Actor = {}
Actor.__index = Actor

-- A request is the name of a method, the caller, and the other arguments.
local function perform(self, request)
  local result, problem, list = changes.during(self.orders,
    unpack(request, 1, request.count or #request))
  add(self.unconfirmed, request[2], list)
  return result, problem
end

-- Writes the backlog, the oldest first: nil and why where the ledger fails.
local function flush(self)
  while self.backlog[1] do
    local result, problem = perform(self, self.backlog[1])
    if is_outage(result, problem) then
      return nil, problem
    end
    table.remove(self.backlog, 1)
  end
  return true
end

-- What can never be written must not keep everything else waiting.
local function count_try(self)
  local request = self.backlog[1]
  request.tries = (request.tries or 0) + 1
  if request.tries >= TRIES then
    table.remove(self.backlog, 1)
  end
end

-- The order or the task that a request is about.
local function subject_of(request)
  local subject = request[3]
  return type(subject) == "table" and subject.order_id
    or request[1] .. " " .. tostring(subject)
end

-- Replaces what is in the backlog about the same order.
local function enqueue(self, request)
  for index = #self.backlog, 1, -1 do
    if subject_of(self.backlog[index]) == subject_of(request) then
      table.remove(self.backlog, index)
    end
  end
  self.backlog[#self.backlog + 1] = request
end

-- The request that undoes one, if there is one.
local function undo_of(request, result, problem)
  local undo = methods[request[1]].undo
  return undo and undo(request[2], request[3], result, problem)
end

-- Enqueues what a failed request needs: to be retried, or undone in case the
-- database has made the change.
local function recover(self, request, result, problem)
  if is_outage(result, problem) then
    local needed = methods[request[1]].retry and request or undo_of(request)
    if needed then
      enqueue(self, needed)
    end
  end
end

local function finish(self, request, ...)
  local result, problem = ...
  self.undo_request = result and undo_of(request, result, problem) or nil
  recover(self, request, result, problem)
  return ...
end

local function answer(self, ...)
  self.undo_request = nil -- the last answer arrived, so it stays though this raises
  local start = core.now()
  local flushed, problem = flush(self)
  local request = { count = select("#", ...), ... }
  if not flushed and request[1] == "submitting" then
    return nil, problem -- what was bought before is not recorded yet
  elseif not flushed and core.now() - start > LONG_SECONDS then
    return finish(self, request, nil, problem)
  end
  local function check(...)
    if not flushed and (...) ~= nil then
      count_try(self)
    end
    return ...
  end
  return check(finish(self, request, perform(self, request)))
end

-- Answer a message. `method`: of the orders. `caller`: see `starvideos.ledger.tasks`;
-- where it listens, `listener` (the number of its client) and `heard` (the number of
-- the last event that this has got). `...`: its other arguments. Returns the two
-- results of the method, and events that the client has not got: `first`, the number of
-- the first, and `list`.
function Actor:answer(method, caller, ...)
  confirm(self.unconfirmed, caller)
  local result, problem = answer(self, method, caller, ...)
  return result, problem, unconfirmed_of(self.unconfirmed, caller)
end

--- Undo what the last message did, for its caller did not wait for the answer.
function Actor:undo()
  local request = self.undo_request
  if request then
    local result, problem = perform(self, request)
    if is_outage(result, problem) then
      enqueue(self, request)
    end
  end
end

-- Retry what is in the backlog. Returns seconds until the next retry; nil where the
-- backlog is empty.
function Actor:rest()
  flush(self)
  return self.backlog[1] and self.retry
end

--- Write what can be written, and close the connection.
function Actor:leave()
  flush(self)
  self.orders:close()
end

-- Make an actor. `retry`: seconds between two tries to write the backlog. Returns
-- answers a message, and undoes the last answer.
return function(options, retry)
  local self = setmetatable({ orders = tasks.new(options), backlog = {},
    unconfirmed = {}, retry = retry }, Actor)
  local function method(name)
    return function(...)
      return self[name](self, ...)
    end
  end
  return method "answer", method "undo", method "rest", method "leave"
end
