-- What holds in every event loop; described here once, and run inside each by
-- a spec of its own.

local assert = require "luassert"
local busted = require "busted"
local clip = require "spec.fixtures.clip"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local loops = require "spec.fixtures.loops"
local sandbox = require "starvideos.sandbox.nginx"
local servers = require "spec.fixtures.nginx"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

-- What busted gives to a spec's own file only.
local after_each, before_each, it = busted.after_each, busted.before_each,
  busted.it
local setup, teardown = busted.setup, busted.teardown

local KITTEN = { model = "videos", prompt = "A kitten", duration = 5 }

-- Longer than any step of ours may take on a busy machine, and far shorter
-- than what the host would lose to a download or a wait done on its thread.
local BLOCKED = 0.15

-- A video that takes half a second to arrive.
local SLOW = "location /slow.mp4 { limit_rate 2m; }"
local VIDEO = clip.mp4(1048600)

--- Say what is expected of a loop; called inside a `describe`.
-- @tparam string name in spec.fixtures.loops
return function(name)
  local host, server, slow, folder, clients

  local function new_client(more)
    local options = { api_key = server.key, base_url = server.base_url,
      ca_file = server.ca_file, runtime = "poll" }
    for key, value in pairs(more or {}) do
      options[key] = value
    end
    local client = assert(starvideos.new(options))
    clients[#clients + 1] = client
    return client
  end

  -- Runs the loop: for how long it ran.
  local function run()
    local start = core.now()
    host.run()
    return core.now() - start
  end

  setup(function()
    server = assert(sandbox.start { tls = true, seconds = 0.4,
      queued_seconds = 0.1, drawn = false })
    slow = servers.start { tls = true, body = SLOW }
    slow:serve("slow.mp4", VIDEO)
    folder = files.folder()
  end)

  teardown(function()
    server:stop()
    slow:stop()
    os.execute("rm -rf " .. shell.quote(folder))
  end)

  before_each(function()
    host, clients = loops[name](), {}
  end)

  after_each(function()
    for _, client in ipairs(clients) do
      client:close()
    end
  end)

  it("orders, waits and saves while a timer of the host ticks", function()
    local client = new_client()
    local await = host.attach(client)
    local ticks, task, file = loops.ticking(host), nil, nil
    host.spawn(function()
      task, file = await(function()
        return client:generate(KITTEN, { interval = 0.1,
          path = folder .. "/" .. name .. ".mp4" })
      end)
      ticks.stop()
    end)
    local elapsed = run()
    assert(task, tostring(file))
    assert.equal("completed", task.status)
    assert.is_true(file.bytes > 0)
    assert.is_true(ticks.longest < BLOCKED, tostring(ticks.longest))
    assert.is_true(ticks.count > elapsed / 0.005 / 4, tostring(ticks.count))
  end)

  it("is woken for each answer of the ledger", function()
    local client = new_client { ledger = folder .. "/" .. name .. ".db" }
    local await = host.attach(client)
    local task, orders, elapsed
    host.spawn(function()
      task = assert(await(function()
        return client:create(KITTEN, { key = "kite" })
      end))
      local start = core.now()
      for _ = 1, 20 do
        orders = assert(await(function() return client:pending() end))
      end
      elapsed = core.now() - start
    end)
    run()
    assert.equal(task.id, orders[1].task_id)
    assert.is_true(elapsed < 1, elapsed) -- looking would take two seconds
  end)

  it("ticks on through a download, and tells how far it is", function()
    local client = new_client { ca_file = slow.ca_file }
    local await = host.attach(client)
    local ticks, heard, file = loops.ticking(host), 0, nil
    host.spawn(function()
      file = await(function()
        return client:download({ id = "video_1", status = "completed",
          video_url = slow.tls_url .. "/slow.mp4" }, folder .. "/slow.mp4",
          { overwrite = true, on_progress = function() heard = heard + 1 end })
      end)
      ticks.stop()
    end)
    local elapsed = run()
    assert.equal(#VIDEO, file.bytes)
    assert.is_true(heard > 1, tostring(heard))
    assert.is_true(elapsed > 2 * BLOCKED, "that download could hide a block")
    assert.is_true(ticks.longest < BLOCKED, tostring(ticks.longest))
  end)

  it("ticks on while a TLS handshake gets no answer", function()
    local mute = assert(require("socket").bind("127.0.0.1", 0))
    local client = new_client { connect_timeout = 0.5,
      base_url = "https://127.0.0.1:" .. select(2, mute:getsockname()) }
    local await = host.attach(client)
    local ticks, task, err = loops.ticking(host), nil, nil
    host.spawn(function()
      task, err = await(function() return client:query("video_1") end)
      ticks.stop()
    end)
    local elapsed = run()
    mute:close()
    assert.is_nil(task)
    assert.equal("connect", err.phase)
    assert.is_true(elapsed > 2 * BLOCKED, tostring(elapsed))
    assert.is_true(ticks.longest < BLOCKED, tostring(ticks.longest))
  end)

  it("has many operations under way at the same time", function()
    local client = new_client()
    local await = host.attach(client)
    local count, completed, refused = 30, 0, nil
    for _ = 1, count do
      host.spawn(function()
        local task, err = await(function()
          local order = assert(client:create(KITTEN))
          return client:wait(order, { interval = 0.2 })
        end)
        completed = completed + (task and 1 or 0)
        refused = refused or err
      end)
    end
    local elapsed = run()
    assert.equal(count, completed, tostring(refused))
    -- Wine takes its time for thirty connections.
    local longest = core.system() == "windows" and 60 or count * 0.4 / 2
    assert.is_true(elapsed < longest, tostring(elapsed))
  end)

  it("gives back all that an operation returned", function()
    local client = new_client()
    local await = host.attach(client)
    local got
    host.spawn(function()
      got = { await(function(...) return ... end, 1, nil, 3) }
      got.handle = await(client:async(function() return "a handle's" end))
      got.none, got.err = await(function() return nil, "refused" end)
      got.count = select("#", await(function() end))
    end)
    run()
    assert.same({ 1, nil, 3, handle = "a handle's", err = "refused",
      count = 0 }, got)
  end)

  it("gives what an operation raised, and runs on", function()
    local client = new_client()
    local await = host.attach(client)
    local got, err, after
    host.spawn(function()
      got, err = await(function()
        local task = assert(client:create(KITTEN))
        error({ task = task })
      end)
      after = await(function() return client:create(KITTEN) end)
    end)
    run()
    assert.is_nil(got)
    assert.equal("videos", err.task.model)
    assert.equal("videos", after.model)
  end)

  it("cancels at once when a timer of the host says so", function()
    local client = new_client()
    local await = host.attach(client)
    local handle = client:async(function()
      return client:wait("video_none", { interval = 600 })
    end)
    local task, err
    host.spawn(function()
      task, err = await(handle)
    end)
    host.after(0.1, function()
      handle:cancel()
    end)
    local elapsed = run()
    assert.is_nil(task)
    assert.equal("cancelled", err.kind)
    assert.is_true(elapsed < 0.5, tostring(elapsed))
  end)

  it("ends a wait on time though nothing happens on the network", function()
    local client = new_client()
    local await = host.attach(client)
    local err
    local start = core.now() -- a loop may begin it at once
    host.spawn(function()
      err = select(2, await(function()
        return client:wait("video_none", { interval = 600, timeout = 0.3 })
      end))
    end)
    run()
    local elapsed = core.now() - start
    assert.equal("timeout", err.kind)
    assert.is_true(elapsed >= 0.3 and elapsed < 0.3 + BLOCKED,
      tostring(elapsed))
  end)

  it("returns when nothing is under way, and takes up new work", function()
    local client = new_client()
    local await = host.attach(client)
    assert.is_true(run() < BLOCKED)
    for _ = 1, 2 do
      local task, err
      host.spawn(function()
        task, err = await(function() return client:create(KITTEN) end)
      end)
      assert.is_true(run() < 1)
      assert(task, tostring(err))
    end
  end)

  -- The loop of Copas 1 never returns.
  if name ~= "copas" then
    it("does not return before an operation is done, though no await waits for it", function()
      local client = new_client()
      host.attach(client)
      local handle = client:async(function() return client:create(KITTEN) end)
      run()
      assert.is_true(handle.done)
      assert(handle.result, tostring(handle.err))
    end)
  end

  it("lets the host in between those that go on at the same time", function()
    local client = new_client()
    local await = host.attach(client)
    local ticks, count, ended, before = loops.ticking(host), 20, 0, nil
    local function work()
      before = before or ticks.count
      local stop = core.now() + 0.005
      while core.now() < stop do
      end
    end
    for _ = 1, count do
      host.spawn(function()
        await(function()
          client:wait("video_none", { interval = 600, timeout = 0.1 })
          work()
        end)
        ended = ended + 1
        if ended == count then
          ticks.stop()
        end
      end)
    end
    run()
    assert.equal(count, ended)
    assert.is_true(ticks.count - before >= count / 4,
      tostring(ticks.count - before))
  end)

  it("sleeps while there is nothing to do", function()
    local client = new_client()
    host.attach(client)
    local updates, ended, update = 0, 0, client.update
    function client.update(...)
      updates = updates + 1
      return update(...)
    end
    local function query()
      client:query("video_none")
      ended = ended + 1
    end
    local rounds, count = 20, 30
    for round = 1, rounds do
      host.after(0.1 * round, function()
        for _ = 1, count do
          client:async(query)
        end
      end)
    end
    client:async(function()
      return client:wait("video_none", { interval = 600, timeout = 3 })
    end)
    host.after(3.1, function() end)
    run()
    assert.equal(rounds * count, ended)
    assert.is_true(updates < 4 * rounds * count, tostring(updates))
  end)

  it("may be closed by a listener, and by an operation", function()
    local function closing(begin)
      local client, errs = new_client(), {}
      host.attach(client)
      for index = 1, 2 do
        client:async(function()
          return client:wait("video_none", { interval = 600 })
        end):on_done(function(handle)
          errs[index] = handle.err.kind
        end)
      end
      begin(client)
      host.after(0.5, function() end)
      run()
      assert.same({ "cancelled", "cancelled" }, errs)
    end
    closing(function(client)
      client:async(function() return client:query("video_none") end)
        :on_done(function() client:close() end)
    end)
    closing(function(client)
      client:async(function()
        client:query("video_none")
        client:close()
      end)
    end)
  end)

  it("wakes for work that is begun while it sleeps", function()
    local client = new_client()
    host.attach(client)
    local handle, begun, ended
    host.after(0.1, function()
      begun = core.now()
      handle = client:async(function() return client:create(KITTEN) end)
      handle:on_done(function()
        ended = core.now()
      end)
    end)
    host.after(0.8, function() end)
    run()
    assert.is_true(handle.done, "it was not begun")
    assert(handle.result, tostring(handle.err))
    assert.is_true(ended - begun < 0.5, "it waited for something else")
  end)

  it("looks after what was under way before it was attached", function()
    local client = new_client()
    local handle = client:async(function() return client:create(KITTEN) end)
    local await = host.attach(client)
    local task, err
    host.spawn(function()
      task, err = await(handle)
    end)
    run()
    assert(task, tostring(err))
  end)

  it("holds two clients", function()
    local one, other = new_client(), new_client()
    local await_one, await_other = host.attach(one), host.attach(other)
    local task, seen
    host.spawn(function()
      task = assert(await_one(function() return one:create(KITTEN) end))
      seen = await_other(function() return other:query(task.id) end)
    end)
    run()
    assert.equal(task.id, seen.id)
    one:close()
    host.spawn(function()
      seen = await_other(function() return other:create(KITTEN) end)
    end)
    run()
    assert.is_not.equal(task.id, seen.id)
  end)

  it("survives a client that is closed with work under way", function()
    local client = new_client()
    local await = host.attach(client)
    local task, err
    host.spawn(function()
      task, err = await(function()
        return client:wait("video_none", { interval = 600 })
      end)
    end)
    host.after(0.05, function()
      client:close()
    end)
    local elapsed = run()
    assert.is_nil(task)
    assert.equal("cancelled", err.kind)
    assert.is_true(elapsed < 0.5, tostring(elapsed))
  end)

  it("survives a client that is closed by who has just waited", function()
    local client, ticks = new_client(), loops.ticking(host)
    local await = host.attach(client)
    host.spawn(function()
      await(function() return client:create(KITTEN) end)
      client:close()
    end)
    host.after(0.3, ticks.stop)
    run()
    assert.is_true(ticks.count > 10, tostring(ticks.count))
  end)

  it("leaves a client alone that is detached", function()
    local client = new_client()
    local _, detach = host.attach(client)
    local handle = client:async(function()
      return client:wait("video_none", { interval = 600 })
    end)
    detach()
    detach()
    assert.is_true(run() < BLOCKED)
    assert.is_false(handle.done)
    local await = host.attach(client)
    local err
    host.spawn(function()
      err = select(2, await(handle))
    end)
    handle:cancel()
    run()
    assert.equal("cancelled", err.kind)
  end)

  it("says where await can be used", function()
    local client = new_client()
    local await = host.attach(client)
    local nested
    local _, raised = pcall(function()
      await(function() end)
    end)
    assert.matches("loop_behaviour.lua:%d+: await is for coroutines", raised)
    host.spawn(function()
      nested = select(2, await(function() return await(function() end) end))
    end)
    run()
    assert.matches("call the operation itself", nested)
  end)

  it("refuses a client of another runtime, and one attached already",
    function()
      assert.error_matches(function()
        host.attach(assert(starvideos.new { api_key = "key" }))
      end, 'runtime = "poll"')
      local client = new_client()
      host.attach(client)
      assert.error_matches(function()
        host.attach(client)
      end, "attached to a loop already")
    end)

  it("runs its example", function()
    local command = shell.fill([[
      STARVIDEOS_API_KEY=@key@ STARVIDEOS_BASE_URL=@url@ SSL_CERT_FILE=@ca@ \
        @lua@ @example@ @folder@ 0.1 2>&1]], { key = server.key,
      url = server.base_url, ca = server.ca_file, folder = folder,
      lua = interpreter,
      example = ("examples/%s/order.lua"):format(name) })
    local output = shell.read(command .. "; echo exit=$?")
    assert.matches("exit=0", output)
    assert.matches("%.%.%.", output)
    for _, subject in ipairs { "kitten", "puppy", "foal" } do
      local path = ("%s/%s.mp4"):format(folder, subject)
      assert.matches(("%s\t[^\n]*/%s%%.mp4"):format(subject, subject), output)
      assert(os.remove(path))
    end
  end)
end
