-- A PostgreSQL server under a ledger that goes away in each way, at each step of
-- an order: nothing is lost or bought twice, nobody waits beyond his time, and
-- the library sets the record right soon after the server is back.

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local ledgers = require "starvideos.ledger"
local postgres = require "spec.fixtures.postgres"
local process = require "spec.fixtures.process"
local proxy = require "starvideos.ledger.thread"
local recorder = require "starvideos.order.recorder"
local sandbox = require "starvideos.sandbox"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"
local tunnels = require "spec.fixtures.tunnel"

local PARAMS = { model = "videos", prompt = "a kite", duration = 5 }

-- Far above what the policy of these specs allows for, and far below what
-- somebody would wait who waits for the server.
local LONGEST = 8
local BACK_SECONDS = 20

-- In place of the seconds that programs wait.
local HASTE = {
  [proxy.policy] = { patience = 0.5, short = 0.2, cut = 1, retry = 0.2 },
  [recorder.policy] = { write_patience = 1 },
}

-- A script that orders twice; the server is stopped before the second order, or
-- while it is on the wire. What came of that, and after how long.
local SCRIPT = [[
local address, step, stop = arg[1], arg[2], arg[3]
local core, sent = require "starvideos.core", 0
local client = assert(require("starvideos").new { ledger = address,
  api_key = "key", interrupts = "return", transport = function()
    sent = sent + 1
    if step == "resolve" and sent == 2 then os.execute(stop) end
    return { status = 200, headers = {}, body = '{"status":"queued","id":"'
      .. step .. sent .. '"}' }
  end })
local function create()
  return client:create { model = "videos", prompt = "a kite", duration = 5 }
end
assert(create())
if step == "begin" then os.execute(stop) end
local start = core.now()
os.execute "{ sleep 1; kill -INT $PPID; } >/dev/null 2>&1 &"
local task, err = create()
client:close()
print(task, err.kind, err.interrupted, err.task_id, sent,
  core.now() - start < 5)
]]

describe("a ledger on a server that", function()
  local server, tunnel, restore, client, box, posts, hooks, hook_seconds, new

  setup(function()
    server = postgres.start()
    tunnel = tunnels.start(server.folder .. "/.s.PGSQL.5432")
    new, restore = ledgers.new, {}
    for policy, changes in pairs(HASTE) do
      for name, value in pairs(changes) do
        restore[#restore + 1] = { policy, name, policy[name] }
        policy[name] = value
      end
    end
  end)
  teardown(function()
    for _, one in ipairs(restore) do
      one[1][one[2]] = one[3]
    end
    tunnel.stop()
    assert.is_true(server:stop())
  end)

  -- A connection beside the tunnel, which may write where others may not.
  local function beside(body)
    local database = databases.new(server.url
      .. "&options=-c%20default_transaction_read_only%3Doff")
    local result = assert(body(database))
    database:close()
    return result
  end

  local function run(...)
    local statements = { ... }
    return beside(function(database)
      for _, sql in ipairs(statements) do
        assert(database:run(sql))
      end
      return true
    end)
  end

  local function orders()
    return beside(function(database)
      return database:rows "SELECT state, task_id FROM starvideos_orders"
    end)
  end

  -- What was connected before would go on as it was.
  local function disconnect()
    beside(function(database)
      return database:rows [[SELECT pg_terminate_backend(pid)
        FROM pg_stat_activity WHERE pid <> pg_backend_pid()
        AND backend_type = 'client backend']]
    end)
  end

  -- How it goes away, and how it comes back.
  local faults = {
    ["was stopped"] = {
      function() server:freeze() end,
      function() server:thaw() end,
    },
    ["was cut off"] = {
      function() tunnel.swallow(true) end,
      function() tunnel.swallow(false) end,
    },
    ["was ended"] = {
      function() server:halt() end,
      function() server:launch() end,
    },
    ["can only be read"] = {
      function()
        run "ALTER DATABASE postgres SET default_transaction_read_only TO on"
        disconnect()
      end,
      function()
        run "ALTER DATABASE postgres RESET default_transaction_read_only"
        disconnect()
      end,
    },
    ["is full"] = {
      function()
        run([[CREATE OR REPLACE FUNCTION no_space() RETURNS trigger AS $$ BEGIN
            RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100';
          END $$ LANGUAGE plpgsql]],
          [[CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON starvideos_orders
            FOR EACH ROW EXECUTE FUNCTION no_space()]])
      end,
      function() run "DROP TRIGGER no_space ON starvideos_orders" end,
    },
  }

  -- The steps of an order, and how often it is sent where the server goes away
  -- just before.
  local steps = { begin = 0, submitting = 0, resolve = 1 }

  -- That of one Lua is that of another, but for what it does after the answer.
  local tried = interpreter == "luajit" and { resolve = 1 } or steps

  before_each(function()
    server:empty()
    posts, hooks = 0, {}
    box = sandbox.new()
    function ledgers.new(options)
      local ledger = new(options)
      for name in pairs(steps) do
        local method = ledger[name]
        ledger[name] = function(...)
          local hook = hooks[name]
          hooks[name] = nil
          if hook then
            local before = core.now()
            hook()
            hook_seconds = core.now() - before
          end
          return method(...)
        end
      end
      return ledger
    end
  end)
  after_each(function()
    ledgers.new = new
    client:close()
  end)

  local function open(runtime)
    local send = box:transport()
    client = assert(starvideos.new { runtime = runtime, api_key = box.key,
      base_url = box.base_url, ledger = ("postgres://specs@127.0.0.1:%d/postgres"
        .. "?connect_timeout=2&sslmode=disable"):format(tunnel.port),
      transport = function(req)
        posts = posts + (req.method == "POST" and 1 or 0)
        return send(req)
      end })
  end

  -- What came of a call, how long it took, and the longest update.
  local ways = {}

  function ways.block(name, ...)
    local start = core.now()
    local value, err = client[name](client, ...)
    return value, err, core.now() - start, 0
  end

  function ways.frame(name, ...)
    local start, longest = core.now(), 0
    local order = client:async(client[name], client, ...)
    while not order.done do
      local before = core.now()
      hook_seconds = 0
      client:update()
      longest = math.max(longest, core.now() - before - hook_seconds)
      process.readable(-1, 0.004)
    end
    return order.result, order.err, core.now() - start, longest
  end

  local function soon(body, ...)
    local give_up = core.now() + BACK_SECONDS
    repeat
      process.readable(-1, 0.05)
      local right, why = body(...)
      assert(right or core.now() < give_up, tostring(why))
    until right
  end

  -- Nobody asks it meanwhile.
  local function is_right(step, err)
    local order = orders()[1]
    if step ~= "resolve" then
      return not order or order.state == "prepared", order and order.state
    end
    return order.state == "accepted" and order.task_id == err.task_id,
      order.state
  end

  local function suffers(fault, step, runtime)
    local go_away, come_back = fault[1], fault[2]
    local way = ways[runtime]
    open(runtime)
    soon(way, "create", PARAMS, { key = "first" }) -- the first look may be slow
    run "DELETE FROM starvideos_orders"
    local is_away
    hooks[step] = function()
      go_away()
      is_away = true
    end
    finally(function()
      if is_away then
        come_back()
      end
    end)
    local task, err, seconds, longest = way("create", PARAMS, { key = "kite" })
    assert.is_nil(task)
    assert.equal("ledger", err.kind)
    assert.is_true(seconds < LONGEST, seconds)
    assert.is_true(longest < 1, longest)
    assert.equal(1 + steps[step], posts)
    come_back()
    is_away = false
    soon(is_right, step, err)
    local again
    soon(function()
      local why
      again, why = way("create", PARAMS, { key = "kite" })
      return again, why
    end)
    assert.equal(2, posts)
    assert.is_true(not err.task_id or err.task_id == again.id)
    assert.equal("accepted", orders()[1].state)
  end

  for name, fault in pairs(faults) do
    for step in pairs(tried) do
      it(name .. " before " .. step, function()
        suffers(fault, step, "frame")
      end)
    end
    it(name .. " before resolve, on the thread of a script", function()
      suffers(fault, "resolve", "block")
    end)
  end

  for step, outcome in pairs { begin = "nil cancelled true nil 1 true",
    resolve = "nil cancelled true resolve2 2 true" } do
    it("was stopped before " .. step .. " ends at Ctrl-C, too", function()
      open "block" -- to be closed
      local program = server.folder .. "/program.lua"
      files.write(program, SCRIPT)
      finally(function() server:thaw() end)
      assert.equal(outcome, (shell.read(shell.fill("timeout 30 @lua@"
        .. " @program@ @url@ @step@ @stop@ 2>&1", { lua = interpreter, url = server.url,
        program = program, step = step, stop = server:freezer() }))
        :gsub("%s+", " ")))
    end)
  end

  it("was stopped lets a wait come back in time", function()
    open "block"
    local task = assert(client:create(PARAMS, { key = "kite" }))
    server:freeze()
    finally(function() server:thaw() end)
    local start = core.now()
    local video, err = client:wait(task.id, { timeout = 1, interval = 0.2,
      first_poll = 0 })
    assert.is_nil(video)
    assert.equal("timeout", err.kind)
    assert.is_true(core.now() - start < 3)
  end)
end)

describe("the ledger of a script on a server that does not run", function()
  it("says what to check, and that nothing was ordered", function()
    local port, file = process.listen()
    process.close(file)
    local client = assert(starvideos.new { runtime = "block", api_key = "key",
      ledger = ("postgres://127.0.0.1:%d/videos"):format(port) })
    local _, err = client:create(PARAMS)
    client:close()
    assert.equal("ledger", err.kind)
    assert.truthy(err.message:find("check its address", 1, true))
    assert.truthy(err.message:find("nothing was ordered", 1, true))
  end)
end)
