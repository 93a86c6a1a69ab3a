-- A world for one spec of the ledger: a provider within this process, a clock
-- that only sleeping moves, and clients that share a ledger.

local assert = require "luassert"
local busted = require "busted"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local memory = require "starvideos.ledger.memory"
local owner = require "starvideos.ledger.owner"
local sandbox = require "starvideos.sandbox"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local _M = {}

local World = {}
World.__index = World

-- The interpreter that runs this.
_M.interpreter = rawget(_G, "jit") and "luajit"
  or _VERSION:lower():gsub(" ", "")

-- A client on the world's ledger; each has a connection of its own.
function World:client(changes)
  local options = {
    api_key = self.box.key,
    ledger = self.address,
    transport = function(req)
      return self:exchange(req)
    end,
    clock = function() return self.now end,
    sleep = function(seconds)
      self.now = self.now + seconds
      self.slept = self.slept + seconds
      return true
    end,
    random = function() return 0.5 end,
  }
  for name, value in pairs(changes or {}) do
    options[name] = value
  end
  local client = assert(starvideos.new(options))
  self.clients[#self.clients + 1] = client
  return client
end

function World:exchange(req)
  self.requests[#self.requests + 1] = req.method
  if self.before_request then
    self.before_request(req)
  end
  return self.transport(req)
end

-- How many requests have been sent, or those of one method.
function World:sent(method)
  local count = 0
  for _, sent in ipairs(self.requests) do
    count = count + (method == nil and 1 or sent == method and 1 or 0)
  end
  return count
end

-- How many orders the provider bills.
function World:billed()
  return self.box:tasks().billed
end

-- The parameters of an order; `scenario` is the sandbox's.
function World.params(scenario, changes)
  local params = { model = "videos", duration = 5, prompt = "a kite"
    .. (scenario and " [scenario:" .. scenario .. "]" or "") }
  for name, value in pairs(changes or {}) do
    params[name] = value
  end
  return params
end

-- Order a video, by default under the key kite.
function World.create(client, scenario, options, changes)
  return client:create(World.params(scenario, changes),
    options or { key = "kite" })
end

-- Let the provider be out of reach for the next request.
function World:fail_once()
  local transport = self.transport
  function self.transport()
    self.transport = transport
    return nil, { reason = "connect", sent = false, message = "refused" }
  end
end

-- Place an order whose answer is lost.
function World.lose(client, key)
  local task, err = World.create(client, "create_reset",
    { key = key or "kite" })
  assert.is_nil(task)
  assert.equal("outcome_unknown", err.kind)
  return err
end

-- Seen with no client in between.
local function database(self)
  self.database = self.database
    or require("starvideos.ledger.database").new(self.address)
  return self.database
end

-- Read the tables themselves.
function World:rows(sql, ...)
  return assert(database(self):rows(sql, ...))
end

-- Change the tables themselves.
function World:run(sql, ...)
  return assert(database(self):run(sql, ...))
end

-- Have all orders taken by a process that cannot be seen from here: `length` of its lease
-- in seconds, `began` in seconds from now.
function World:take_over(length, began)
  memory.clear()
  local clock, now = owner.clock(), core.boottime()
  local server = database(self):clock()
  if server then
    clock, now = nil, self:rows("SELECT " .. server .. " AS now")[1].now
  end
  self:run([[UPDATE starvideos_orders SET lease = ?, lease_clock = ?,
    lease_began = ?, owner = 'elsewhere boot pid:[1] time:[1] 12 34 s',
    revision = revision + 1]], length, clock, now + began)
end

-- The states of all orders, oldest first.
function World:states()
  local list = {}
  for index, row in ipairs(self:rows(
    "SELECT state FROM starvideos_orders ORDER BY order_id")) do
    list[index] = row.state
  end
  return list
end

-- All that is stored, as one text.
function World:dump()
  return json.encode(self:rows "SELECT * FROM starvideos_orders")
end

-- What a child runs; see child.lua.
local CHILD = "@lua@ spec/ledger/child.lua @address@ @folder@ "

-- The shell command that runs child.lua.
function World:command(action)
  return shell.fill(CHILD, { lua = _M.interpreter, address = self.address,
    folder = self.folder }) .. action
end

-- Run child.lua, wait for it and return its output; `before` stands before its command.
function World:child(action, before)
  return shell.read(("{ %s %s; } 2>&1"):format(before or "",
    self:command(action)))
end

local function path(self, name)
  return self.folder .. "/" .. name
end

-- Read a file of the folder.
function World:read(name)
  local file = io.open(path(self, name), "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

-- Start child.lua and go on.
function World:start(action, before)
  shell.run(shell.fill("{ { %s & echo $! >@pid@; wait; : >@ended@; } & }"
    .. " >@output@ 2>&1 </dev/null", { pid = path(self, "pid"),
      ended = path(self, "ended"), output = path(self, "output") })
    :format((before or "") .. self:command(action)))
end

-- Wait until a child has written a file.
function World:await(name)
  for _ = 1, 1000 do
    if self:read(name) then
      return
    end
    core.sleep(0.01)
  end
  error("no child wrote " .. name .. ": " .. tostring(self:read "output"))
end

-- Let the child that was started continue, and wait for its end.
function World:continue()
  assert(io.open(path(self, "go"), "wb")):close()
  self:await "ended"
end

-- Kill the child that was started, and wait for its end.
function World:kill()
  shell.run("kill -9 " .. self:read("pid"))
  self:await "ended"
end

-- Close all clients, end a child that still runs, and remove the folder.
function World:close()
  if self:read "pid" and not self:read "ended" then
    self:kill()
  end
  for _, client in ipairs(self.clients) do
    client:close()
  end
  if self.database then
    self.database:close()
  end
  shell.run(shell.fill("rm -rf -- @folder@", { folder = self.folder }))
end

-- A world with `folder`, `address`, `box` (the sandbox), `now` and `slept` (seconds);
-- `before_request(req)` may be set.
function _M.new(address)
  local self = setmetatable({ now = 1000000, slept = 0, requests = {},
    clients = {} }, World)
  self.folder = files.folder()
  self.address = address or self.folder .. "/ledger.db"
  self.box = sandbox.new { clock = function() return self.now end,
    seconds = 100, queued_seconds = 10 }
  self.transport = self.box:transport()
  return self
end

-- A behaviour of a ledger, to be described over each database.
function _M.behaviour(what, describe)
  return function(new_address)
    busted.describe(what, function()
      local world
      busted.after_each(function()
        world:close()
      end)
      describe(function(begin)
        busted.before_each(function()
          world = _M.new(new_address())
          begin(world)
        end)
      end)
    end)
  end
end

return _M
