-- A client that is let go, a call that ends with an error, and a script that ends,
-- while an order is on the wire: its answer is recorded all the same.

local books = require "spec.fixtures.books"
local dbi = require "DBI"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

-- What each program begins with. The answer to an order takes long enough for it
-- to be on the wire when `sent` returns.
local HEAD = [[
local base_url, api_key, ca_file, ledger = ...
ledger = ledger ~= "" and ledger or nil
local core, starvideos = require "starvideos.core", require "starvideos"
local wire = require "starvideos.order.wire"
local on_wire, last = 0, nil
local add = wire.add
function wire.add(flight)
  on_wire = on_wire + (flight.response and 0 or 1)
  last = flight
  add(flight)
end
local function new(runtime, options)
  local all = { runtime = runtime, base_url = base_url, api_key = api_key,
    ca_file = ca_file, ledger = ledger, timeout = 20 }
  for name, value in pairs(options or {}) do all[name] = value end
  return assert(starvideos.new(all))
end
local function params(marker)
  return { model = "videos", duration = 4,
    prompt = "kite " .. (marker or "[scenario:create_slow=0.6]") }
end
-- Lets a client send so many orders.
local function sent(client, count)
  while on_wire < count do client:update() end
end
local function key(name)
  return ledger and { key = name } or nil
end
-- A client that nobody has any more, with an order on the wire.
local function let_go(runtime, marker)
  local client, count = new(runtime), on_wire + 1
  client:async(client.create, client, params(marker), key "k")
  sent(client, count)
  client = nil
  collectgarbage() collectgarbage()
end
-- Raises an error in the main program while it waits for an answer.
local function interrupted(client, error_of)
  local since
  debug.sethook(function()
    since = since or last and last.request.ticket and core.now()
    if since and core.now() > since + 0.2 then
      debug.sethook()
      error(error_of(), 0)
    end
  end, "", 1)
  local ok = pcall(client.create, client, params(), key "k")
  debug.sethook()
  assert(not ok)
end
if rawget(_G, "jit") then jit.off() end
]]

-- Programs, and what they print. Each has one order, which is bought once.
local ends = {
  -- The issue's.
  { "that is let go by a frame client, when the script ends",
    [[let_go "frame"]] },
  { "that is let go, when the host ends with os.exit(0, true)",
    [[let_go "frame" os.exit(0, true)]], since = "5.2" },
  -- Members of its kind.
  { "that is let go by a poll client, when the script ends",
    [[let_go "poll"]] },
  { "of a client that the script still has when it ends", [[
      local client = new "frame"
      client:async(client.create, client, params(), key "k")
      sent(client, 1)
      _G.kept = client]] },
  { "whose script ends with an error", [[
      local client = new "frame"
      client:async(client.create, client, params(), key "k")
      sent(client, 1)
      error "the script is wrong"]], status = "1" },
  { "whose coroutine the host has closed", [[
      local client, thread = new "frame", nil
      client:async(function()
        thread = coroutine.running()
        return client:create(params(), key "k")
      end)
      sent(client, 1)
      coroutine.close(thread)]], needs = rawget(coroutine, "close") },
  { "whose client was closed by a listener of another order", [[
      local client = new "frame"
      local one = client:async(client.create, client, params(), key "k")
      sent(client, 1)
      client:async(client.query, client, "video_none"):on_done(function()
        client:close()
      end)
      while not one.done do client:update() if one.done then break end end]] },
}

-- After each a call of a client records the answer, and has it.
local entries = {
  { "a frame client", [[let_go "frame"]] },
  { "a poll client", [[let_go "poll"]] },
  { "a host whose coroutine was closed", [[
      local client, thread = new "frame", nil
      client:async(function()
        thread = coroutine.running()
        return client:create(params(), key "k")
      end)
      sent(client, 1)
      coroutine.close(thread)]], needs = rawget(coroutine, "close") },
}

describe("an order on the wire", function()
  local server, folder, ledger

  setup(function()
    server = assert(nginx.start { tls = true, drawn = false })
  end)
  teardown(function()
    server:stop()
  end)
  before_each(function()
    folder = files.folder()
    ledger = folder .. "/ledger.db"
    books.reset(server)
  end)
  after_each(function()
    files.remove(folder)
  end)

  -- Gives what a program prints on both streams, and its status behind that.
  local function run(body, with_ledger)
    local program = folder .. "/program.lua"
    files.write(program, HEAD .. body)
    return shell.read(shell.fill("timeout 100 @lua@ @program@ @url@ @key@"
      .. " @ca@ @ledger@ 2>&1; echo $?", { lua = interpreter,
      program = program, url = server.base_url, key = server.key,
      ca = server.ca_file, ledger = with_ledger and ledger or "" }))
  end

  local function rows()
    local connection = assert(dbi.Connect("SQLite3", ledger))
    local statement = assert(connection:prepare(
      "SELECT state, task_id FROM starvideos_orders"))
    assert(statement:execute())
    local list = {}
    for row in statement:rows(true) do
      list[#list + 1] = row
    end
    statement:close()
    connection:close()
    return list
  end

  -- The one task that was bought is that of the one order.
  local function assert_recorded(output)
    local tasks, list = books.of(server).tasks, rows()
    assert.equal(1, #tasks, output)
    assert.equal(1, #list, output)
    assert.equal("accepted", list[1].state, output)
    assert.equal(tasks[1].id, list[1].task_id, output)
  end

  local is_51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

  for _, case in ipairs(ends) do
    local missing = case.since and is_51 or case.needs == nil
      and case[2]:find("coroutine.close", 1, true)
    local test = missing and pending or it
    test("is recorded " .. case[1], function()
      local output = run(case[2], true)
      assert.equal(case.status or "0", output:match "[^\n]*$", output)
      assert_recorded(output)
    end)
  end

  it("is named on stderr at the end where no ledger has it", function()
    local output = run [[let_go "frame"]]
    local task = books.of(server).tasks[1]
    assert.truthy(output:find("task " .. task.id .. " was created", 1, true),
      output)
    assert.equal("0", output:match "[^\n]*$")
  end)

  it("is told to the listener alone where there is one", function()
    local output = run [[
      local client = new("frame", { on_event = function(event)
        if event.task_id then print("heard " .. event.task_id) end
      end })
      client:async(client.create, client, params())
      sent(client, 1)]]
    local task = books.of(server).tasks[1]
    assert.equal("heard " .. task.id .. "\n0", output)
  end)

  it("is told as unknown at the end where its answer says nothing", function()
    local output = run [[let_go("frame", "[scenario:create_500]")]]
    assert.truthy(output:find("may", 1, true), output)
    run([[let_go("frame", "[scenario:create_500]")]], true)
    assert.equal("unknown", rows()[1].state)
  end)

  for _, case in ipairs(entries) do
    local test = case.needs == nil
      and case[2]:find("coroutine.close", 1, true) and pending or it
    test("of " .. case[1] .. " is the answer to the same key", function()
      local output = run(case[2] .. [[

        local from = core.now()
        local task = assert(new("block"):create(params(), key "k"))
        print(task.id, core.now() - from < 15)]], true)
      local task = books.of(server).tasks[1]
      assert.equal(task.id .. "\ttrue\n0", output)
      assert_recorded(output)
    end)

    test("of " .. case[1] .. " is recorded by other calls", function()
      local output = run(case[2] .. [[

        local other, until_then = new "block", core.now() + 60
        wire.finish = function() end -- nothing is left to the end
        repeat
          local order = assert(other:order "k")
        until order.state ~= "submitting" or core.now() > until_then
        print(other:order "k".state)]], true)
      assert.equal("accepted\n0", output)
      assert_recorded(output)
    end)
  end

  -- What a host raises while a call waits.
  local raised = {
    { "a text", [["the watchdog"]] },
    { "a table", "{}" },
    { "not enough memory", [["not enough memory"]] },
  }
  for _, case in ipairs(raised) do
    it("is not lost where a hook raises " .. case[1], function()
      local output = run(([[
        local client = new "block"
        interrupted(client, function() return %s end)
        local task = assert(client:create(params(), key "k"))
        print(task.id)]]):format(case[2]), true)
      assert.equal(books.of(server).tasks[1].id .. "\n0", output)
      assert_recorded(output)
    end)
  end

  -- What a hook or a finalizer of the host's calls at each instruction before an
  -- order leaves: it takes the order, whose call goes on, for one that has ended.
  local calls = {
    { "another client lists orders", "other:pending()" },
    { "another client orders the same", 'other:create(params(""), key(name))' },
    { "its client is closed", "client:close()" },
  }
  for _, case in ipairs(calls) do
    it("is bought once where " .. case[1] .. " before it leaves", function()
      local output = run(([[
        local other, fired, met, name = new "block", nil, 0
        local counted, client = wire.add, nil
        function wire.add(flight)
          counted(flight)
          if fired == false and not flight.response then
            fired = 1
            debug.sethook(function()
              debug.sethook()
              met = met + (flight.request.ticket and 0 or 1)
              %s
            end, "", tonumber(name))
          end
        end
        for steps = 1, 30 do
          name, fired = tostring(steps), false
          client = new "block"
          pcall(client.create, client, params "", key(name))
          debug.sethook()
          fired = nil
          local task = assert(other:create(params "", key(name)))
          assert(task.id == other:order(name).task_id)
        end
        print(met > 0)]]):format(case[2]), true)
      assert.equal("true\n0", output)
      assert.equal(30, #books.of(server).tasks)
    end)
  end

  -- A signal raises between any two instructions; without a ledger nobody else knows it.
  it("is named by the command wherever a signal comes behind its answer", function()
    files.write(folder .. "/key", server.key)
    local output = run([[
      local cli, folder = require "starvideos.cli", arg[0]:match "^(.*)/"
      local counted, step, fired = wire.add, 1, nil
      function wire.add(flight)
        counted(flight)
        if flight.response then
          debug.sethook(function()
            debug.sethook()
            fired = true
            error("interrupted!", 0)
          end, "", step)
        end
      end
      repeat
        fired = false
        cli.main { "create", "-m", "videos", "-d", "4", "-p", "a kite",
          "--base-url", base_url, "--ca-file", ca_file, "--api-key-file", folder .. "/key" }
        debug.sethook()
        step = step + 5
      until not fired]])
    local tasks = books.of(server).tasks
    assert.is_true(#tasks > 100, output)
    for _, task in ipairs(tasks) do
      assert.is_truthy(output:find(task.id, 1, true), task.id .. " in " .. output)
    end
  end)

  it("that another call is yet to send is not waited for", function()
    local output = run([[
      local client = new("frame", { max_creates = 1 })
      client:async(client.create, client, params(), key "first")
      sent(client, 1)
      client:async(client.create, client, params(), key "second")
      local other, from = new "block", core.now()
      repeat
        client:update()
        local order = other:order "second"
      until order
      local task, err = other:create(params(), key "second")
      print(task, err.kind, err.sent, core.now() - from < 15)
      print(err.message:find("cannot go on while this call waits", 1, true) ~= nil,
        err.message:find(base_url, 1, true) ~= nil)
      while client:busy() do client:update() end
      print(other:create(params(), key "second").id ==
        other:order "second".task_id)
      client:close()]], true)
    assert.equal("nil\tledger\tfalse\ttrue\ntrue\ttrue\ntrue\n0", output)
    assert.equal(2, #books.of(server).tasks)
  end)

  -- A loop over pairs() that LuaJIT had compiled before never ended there.
  it("lets a program end, however often it was looked for", function()
    files.write(folder .. "/looks.lua", [[
      local core, wire = require "starvideos.core", require "starvideos.order.wire"
      local flight = { process = core.process_id(), request = {},
        context = { runtime = { shield = true } } }
      wire.add(flight)
      flight.request.guard()
      for _ = 1, tonumber(arg[1]) do wire.collect() end]])
    for looks = 40, 60 do
      assert.is_true(shell.run(shell.fill("timeout 10 @lua@ @folder@/looks.lua @looks@",
        { lua = interpreter, folder = folder, looks = tostring(looks) })), looks)
    end
  end)
end)
