--- The orders on a thread of its own, in a Lua state of its own: what messages ask
-- is asked of the orders, and what must come true is tried until it does. Nothing
-- here belongs to the Lua state that asks; `starvideos.ledger.proxy` is the
-- other end.
-- @module starvideos.ledger.actor

local orders = require "starvideos.ledger.orders"
local core = require "starvideos.core"

local unpack = table.unpack or unpack

-- After how many tries what could not be written is taken for impossible, each
-- beside something that could.
local TRIES = 3

-- What fails after a longer time has waited for a server: one is enough.
local LONG_SECONDS = 1

-- What the provider has said, or a file shows: nobody says it again.
local facts = { resolve = true, unsent = true, seen = true, downloaded = true }

local UNHEARD = "its process had stopped waiting for the ledger"

local function is_outage(result, problem)
  return result == nil and type(problem) == "table"
    and problem.kind == "ledger" and not problem.gone
end

-- The row as it is where a step was taken of which only a failure was heard.
local function submitted(row)
  local after = {}
  for name, value in pairs(row) do
    after[name] = value
  end
  after.state = "submitting"
  after.revision = (tonumber(row.revision) or 0) + 1
  return after
end

-- What takes back a step that was taken for a sender: each change names the
-- revision, so that it takes back nothing else.
local reverse = {}

function reverse.begin(caller, _, verdict, row)
  return verdict == "send" and { "unsent", caller, row, UNHEARD } or nil
end

function reverse.renew(caller, _, after)
  return { "unsent", caller, after, UNHEARD }
end

function reverse.submitting(caller, row, after)
  return { "unsent", caller, after or submitted(row), UNHEARD }
end

local Actor = {}
Actor.__index = Actor

local function ask(self, deed)
  return self.orders[deed[1]](self.orders, unpack(deed, 2, deed.count or #deed))
end

-- Tries what is owed, in its order: nil and why where the ledger fails.
local function pay(self)
  while self.owed[1] do
    local result, problem = ask(self, self.owed[1])
    if is_outage(result, problem) then
      return nil, problem
    end
    table.remove(self.owed, 1)
  end
  return true
end

-- What can never be written must not stand before all else.
local function forgive(self)
  local deed = self.owed[1]
  deed.tries = (deed.tries or 0) + 1
  if deed.tries >= TRIES then
    table.remove(self.owed, 1)
  end
end

-- What a deed is about: an order, or what was seen of a task. Of an order the
-- last word counts.
local function subject(deed)
  local about = deed[3]
  return type(about) == "table" and about.order_id
    or deed[1] .. " " .. tostring(about)
end

local function put_down(self, deed)
  for index = #self.owed, 1, -1 do
    if subject(self.owed[index]) == subject(deed) then
      table.remove(self.owed, index)
    end
  end
  self.owed[#self.owed + 1] = deed
end

-- What is to be done later about a message that failed.
local function owe(self, deed, result, problem)
  if not is_outage(result, problem) then
    return
  elseif facts[deed[1]] then
    put_down(self, deed)
  elseif deed[1] == "submitting" then
    put_down(self, reverse.submitting(deed[2], deed[3]))
  end
end

local function finish(self, deed, ...)
  local result, problem = ...
  local undo = result and reverse[deed[1]]
  self.last = undo and undo(deed[2], deed[3], result, problem) or nil
  owe(self, deed, result, problem)
  return ...
end

--- Answer a message.
-- @tparam string method of the orders
-- @param ... who, and its other arguments
-- @return what it returns
function Actor:answer(...)
  self.last = nil -- was heard, and stays true though this one raises
  local start = core.now()
  local paid, problem = pay(self)
  local deed = { count = select("#", ...), ... }
  if not paid and core.now() - start > LONG_SECONDS then
    return finish(self, deed, nil, problem)
  end
  local function check(...)
    if not paid and (...) ~= nil then
      forgive(self)
    end
    return ...
  end
  return check(finish(self, deed, ask(self, deed)))
end

--- Take back what the last message did, for nobody heard of it.
function Actor:undo()
  local deed = self.last
  if deed then
    local result, problem = ask(self, deed)
    if is_outage(result, problem) then
      put_down(self, deed)
    end
  end
end

--- Try what is owed.
-- @treturn ?number seconds until that is to be tried again; nil where nothing
--   is owed
function Actor:rest()
  pay(self)
  return self.owed[1] and self.retry
end

--- Make an actor.
-- @tparam table options see `starvideos.ledger.orders`
-- @tparam number retry seconds between two tries to write what is owed
-- @treturn function answers a message
-- @treturn function undoes the last answer
-- @treturn function rests
-- @treturn function leaves
return function(options, retry)
  local self = setmetatable({ orders = orders.new(options), owed = {},
    retry = retry }, Actor)
  local function method(name)
    return function(...)
      return self[name](self, ...)
    end
  end
  return method "answer", method "undo", method "rest", function()
    pay(self)
    self.orders:close()
  end
end
