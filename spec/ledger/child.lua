-- Another process on the ledger of a spec, as `world` starts it:
--
--   lua5.4 spec/ledger/child.lua LEDGER FOLDER ACTION ...
--
-- With `hold` it keeps others from writing for a while; with `enqueue` it puts a
-- list into the queue, and lingers when all of it is staged. Else it orders once and
-- prints the id of the task, or the error: ACTION, the key, and the take. Each
-- request leaves a line in FOLDER/posts. AHEAD in its environment puts its clock
-- ahead by so many seconds.

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local json = require "starvideos.base.json"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

-- How often it looks whether a file has come.
local LOOKS = 3000

local ledger, folder, action, key, take = ...

-- How far the clock of its machine is ahead, in seconds.
local ahead = tonumber(os.getenv "AHEAD") or 0
local true_time = core.time
function core.time()
  return true_time() + ahead
end

local function note(name)
  local file = assert(io.open(folder .. "/" .. name, "ab"))
  file:write "x\n"
  file:close()
end

local function exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close() ~= nil
end

local function await(name)
  for _ = 1, LOOKS do
    if exists(folder .. "/" .. name) then
      return
    end
    core.sleep(0.01)
  end
  error("no process wrote " .. name)
end

local function linger()
  note "sending"
  await "go"
end

-- What happens while the order is on its way; a failure in place of the answer.
local incidents = {
  buy = function() end,
  rush = function() end,
  fork = function() end,
  crash = function()
    shell.run "kill -9 $PPID"
  end,
  linger = linger,
  lose = function()
    linger()
    return { reason = "reset", sent = true, message = "reset" }
  end,
  fill = function()
    require("spec.fixtures.process").limit_files(1)
  end,
}

if action == "rush" then
  note "ready"
  await "go"
end

if action == "hold" then
  local database = databases.new(ledger)
  assert(database:run "BEGIN IMMEDIATE")
  note "sending"
  core.sleep(0.2)
  assert(database:run "COMMIT")
  database:close()
  os.exit(true)
end

-- A full disk is not waited for.
local slept = 0

local client = assert(starvideos.new {
  api_key = "sandbox-key",
  ledger = ledger,
  clock = action == "fill" and function() return slept end or nil,
  sleep = action == "fill" and function(seconds)
    slept = slept + seconds
    return true
  end or nil,
  transport = function()
    note "posts"
    local failure = incidents[action]()
    if failure then
      return nil, failure
    end
    return { status = 200, headers = {},
      body = json.encode { id = "task-of-a-child", status = "queued" } }
  end,
})

local function order(name)
  return client:create({ model = "videos", prompt = "a kite", duration = 5 },
    { key = name, take = tonumber(take) })
end

-- KEY-1.mp4, and so on: as many as the take says.
if action == "enqueue" then
  local list = {}
  for index = 1, tonumber(take) do
    list[index] = { model = "videos", prompt = "a kite", duration = 5,
      path = ("%s-%d.mp4"):format(key, index) }
  end
  local orders, err = client:enqueue(list, { confirm = function()
    linger()
    return true
  end })
  io.write(orders and #orders .. " orders" or tostring(err), "\n")
  os.exit(0)
end

local process, child
if action == "fork" then
  process = require "spec.fixtures.process"
  assert(order(key .. " before"))
  local database = databases.new(ledger)
  assert(database:rows "SELECT 1")
  local inherited = database.connection
  child = process.fork()
  if child == 0 then
    process.leave(order(key .. " of the child") ~= nil
      and database:rows "SELECT 1" ~= nil
      and database.connection ~= inherited)
  end
end
local task, err = order(key)
io.write(task and task.id or tostring(err), "\n")
if err and err.task_id then
  io.write("task_id ", err.task_id, "\n")
end
if child then
  assert(process.await(child))
end
