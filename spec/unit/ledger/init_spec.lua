local contexts = require "starvideos.context"
local databases = require "starvideos.ledger.database"
local enqueuing = require "spec.ledger.enqueuing"
local forgetting = require "spec.ledger.forgetting"
local history = require "spec.ledger.history"
local keeping = require "spec.ledger.keeping"
local leasing = require "spec.ledger.leasing"
local limiting = require "spec.ledger.limiting"
local placing = require "spec.ledger.placing"
local queueing = require "spec.ledger.queueing"
local recording = require "spec.ledger.recording"
local requesting = require "spec.ledger.requesting"
local races = require "spec.ledger.races"
local shell = require "starvideos.nginx.shell"
local saying = require "spec.ledger.saying"
local spelling = require "spec.ledger.spelling"
local starvideos = require "starvideos"
local task_ids = require "spec.ledger.task_ids"
local telling = require "spec.ledger.telling"
local worlds = require "spec.ledger.world"

describe("a ledger in a file", function()
  local function new_address()
    return nil
  end

  placing(new_address)
  enqueuing(new_address)
  forgetting(new_address)
  history(new_address)
  keeping(new_address)
  leasing(new_address, true)
  limiting(new_address)
  queueing(new_address)
  races(new_address)
  recording(new_address)
  requesting(new_address)
  saying(new_address)
  spelling(new_address)
  task_ids(new_address)
  telling(new_address)
end)

describe("the file of a ledger", function()
  local world

  before_each(function()
    world = worlds.new()
  end)

  after_each(function()
    world:close()
  end)

  local function write(name, text)
    local file = assert(io.open(world.folder .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end

  -- An order fails for its ledger, and is not sent.
  local function failing(changes)
    local task, err = world:client(changes):create(world.params(),
      { key = "kite" })
    assert.is_nil(task)
    assert.equal("ledger", err.kind, tostring(err))
    assert.equal(0, world:sent())
    return err.message
  end

  describe("copied while it is in use", function()
    local client, path

    before_each(function()
      client, path = world:client(), world.folder .. "/copy.db"
      assert(client:create(world.params(), { key = "kite" }))
    end)

    it("is a ledger with the same orders", function()
      local copy = assert(client:backup(path))
      assert.equal(path, copy.path)
      assert.equal(#world:read "copy.db", copy.bytes)
      assert.equal("kite", assert(world:client({ ledger = path })
        :pending())[1].key)
    end)

    it("replaces no file", function()
      write("copy.db", "mine")
      local copy, err = client:backup(path)
      assert.is_nil(copy)
      assert.equal("io", err.kind)
      assert.truthy(err.message:find("already", 1, true), err.message)
      assert.equal("mine", world:read "copy.db")
    end)

    it("says why where it cannot be made", function()
      local copy, err = client:backup "/no/such/folder/copy.db"
      assert.is_nil(copy)
      assert.equal("io", err.kind)
      assert.truthy(err.message:find("No such file", 1, true), err.message)
    end)

    it("is for its owner alone", function()
      assert(client:backup(path))
      assert.truthy(shell.read("ls -l " .. shell.quote(path)):find "^%-rw%-%-%-%-%-%-%-")
    end)

    it("never gets in the way of another one", function()
      write("copy.db.part", "half")
      local copy, err = client:backup(path)
      assert.is_nil(copy)
      assert.equal("io", err.kind)
      assert.truthy(err.message:find("copy.db.part", 1, true), err.message)
      assert.equal("half", world:read "copy.db.part")
    end)
  end)

  -- Of 4,096 that were made in the same microsecond two had the same.
  describe("where an order is placed", function()
    local function row()
      return world:rows("SELECT state, attempts, revision FROM starvideos_orders"
        .. " ORDER BY order_id DESC LIMIT 1")[1]
    end

    -- How many changes there had been when an order was sent.
    local function changes_before(options, label)
      local seen
      world.before_request = function()
        seen = row()
      end
      assert(world:client(options):create(world.params(), { key = "kite",
        take = label and 2, label = label }))
      assert.same({ "submitting", 1 }, { seen.state, seen.attempts })
      return seen.revision
    end

    it("is told in two changes before it is sent", function()
      assert.equal(2, changes_before())
      assert.equal(2, changes_before(nil, "second"))
    end)

    it("is told in as many where there are limits", function()
      local context = contexts.of(world:client())
      assert(context.ledger:set_limits { { kind = "open", scope = "label",
        value = "none", cap = 1 } })
      assert.equal(2, changes_before())
    end)

    it("gives the task of a known one though nothing can be written", function()
      local client = world:client()
      local task = assert(client:create(world.params(), { key = "kite" }))
      world:run [[CREATE TRIGGER full BEFORE INSERT ON starvideos_orders
        BEGIN SELECT RAISE(ABORT, 'no room'); END]]
      assert.equal(task.id,
        assert(client:create(world.params(), { key = "kite" })).id)
      local _, err = client:create(world.params(), { key = "boat" })
      assert.equal("ledger", err.kind)
      assert.matches("no room", err.message)
      assert.equal(1, world:sent())
    end)
  end)

  it("gives each order an id of its own though the clock stands still",
    function()
      local ledger = contexts.of(world:client()).ledger
      local now, last = 1e9, ""
      function ledger.clock() return now end
      for number = 1, 5000 do
        now = number == 4500 and now - 3600 or now
        local id = ledger:new_id()
        assert.equal(32, #id)
        assert.is_true(id > last)
        last = id
      end
    end)

  it("is not touched before it is needed", function()
    local client = world:client()
    assert(client:validate(world.params()))
    assert(client:models())
    assert.is_nil(world:read "ledger.db")
    assert(client:pending())
    assert.truthy(world:read "ledger.db")
  end)

  it("is the same one after the program changed its directory", function()
    local process = require "spec.fixtures.process"
    local here, away = shell.read "pwd", world.folder .. "/away"
    assert(shell.run(shell.fill("mkdir @away@", { away = away })))
    finally(function() assert(process.change_directory(here)) end)
    assert(process.change_directory(world.folder))
    local client = world:client { ledger = "ledger.db" }
    assert(process.change_directory(away))
    assert(client:create(world.params(), { key = "kite" }))
    assert.is_nil(world:read "away/ledger.db")
    assert.same({ "accepted" }, world:states())
  end)

  it("survives the end of the process by default", function()
    local database = databases.new(world.address)
    assert.equal(1, database:rows "PRAGMA synchronous"[1].synchronous)
    assert.equal("wal", database:rows "PRAGMA journal_mode"[1].journal_mode)
    database:close()
  end)

  it("survives a loss of power where that is asked for", function()
    local database = databases.new(world.address, true)
    assert.equal(2, database:rows "PRAGMA synchronous"[1].synchronous)
    database:close()
    local client = world:client { ledger_fsync = true }
    assert(client:create(world.params(), { key = "kite" }))
  end)

  it("says what is wrong where its folder is missing", function()
    local message = failing { ledger = world.folder .. "/no/such.db" }
    assert.truthy(message:find("/no/such.db", 1, true))
    assert.truthy(message:find("folder", 1, true))
  end)

  it("says what is wrong where it is a folder", function()
    assert.truthy(failing({ ledger = world.folder })
      :find(world.folder, 1, true))
  end)

  it("says what is wrong where the file is something else", function()
    write("ledger.db", ("This is a poem, and no database.\n"):rep(300))
    local message = failing()
    assert.truthy(message:find("not a database", 1, true))
    assert.truthy(world:read("ledger.db"):find("^This is a poem"))
  end)

  it("says what is wrong where the file was damaged", function()
    local client = world:client()
    for index = 1, 50 do
      assert(client:create(world.params(), { key = "k" .. index }))
    end
    client:close()
    local whole = world:read "ledger.db"
    write("ledger.db", whole:sub(1, 4096) .. ("\255"):rep(#whole - 4096))
    local sent = world:sent()
    local task, err = world:client():create(world.params(), { key = "kite" })
    assert.is_nil(task)
    assert.equal("ledger", err.kind)
    assert.equal(sent, world:sent())
  end)

  it("says what is wrong where it may not be written", function()
    assert(world:client():pending())
    assert(shell.run(shell.fill("chmod 444 @folder@/ledger.db*",
      { folder = world.folder })))
    -- Root may write in spite of that, unless the right is taken from it.
    local output = world:child("buy kite", '$([ "$(id -u)" != 0 ] ||'
      .. " echo setpriv --bounding-set -dac_override --inh-caps -dac_override)")
    assert.truthy(output:find("^ledger: "), output)
    assert.truthy(output:find("writable", 1, true), output)
  end)

  for _, row in ipairs {
    { "videos.db", "dbd.sqlite3", "luadbi-sqlite3", "lua-dbi-sqlite3" },
    { "postgres://here/videos", "dbd.postgresql", "luadbi-postgresql",
      "lua-dbi-postgresql" },
  } do
    it("names the rock and the package where there is no " .. row[2],
      function()
        local loaded, cpath = package.loaded[row[2]], package.cpath
        package.loaded[row[2]], package.cpath = nil, ""
        finally(function()
          package.loaded[row[2]], package.cpath = loaded, cpath
        end)
        local message = failing { ledger = row[1] }
        for index = 2, 4 do
          assert.truthy(message:find(row[index], 1, true))
        end
      end)
  end

  -- A file that may not grow is as full as one on a full disk.
  local FULL = "ulimit -f 8;"

  it("on a full disk sends nothing", function()
    local output = world:child("buy kite", FULL)
    assert.truthy(output:find("^ledger: "), output)
    assert.is_nil(world:read "posts")
    assert.equal("task-of-a-child", world:child "buy kite")
  end)

  it("on a disk that fills up meanwhile names the task", function()
    local output = world:child "fill kite"
    assert.truthy(output:find("^ledger: "), output)
    assert.truthy(output:find("task_id task-of-a-child", 1, true), output)
    local _, err = world:client():create(world.params(), { key = "kite" })
    assert.equal("outcome_unknown", err.kind)
  end)

  it("is waited for while another process writes to it", function()
    local client = world:client()
    assert(client:pending())
    world:start "hold"
    world:await "sending"
    assert(client:create(world.params(), { key = "kite" }))
    world:await "ended"
  end)

  it("serves both sides of a fork, each with orders of its own", function()
    assert.equal("task-of-a-child", world:child "fork kite")
    local keys = {}
    for index, row in ipairs(world:rows
      "SELECT order_key, state FROM starvideos_orders ORDER BY order_key") do
      keys[index] = row.order_key .. " " .. row.state
    end
    assert.same({ "kite accepted", "kite before accepted",
      "kite of the child accepted" }, keys)
    assert.equal("x\nx\nx\n", world:read "posts")
    assert.equal("ok",
      world:rows "PRAGMA integrity_check"[1].integrity_check)
  end)
end)

describe("a client without a ledger", function()
  local client

  before_each(function()
    client = assert(starvideos.new { api_key = "a key",
      transport = function() error "nothing is to be sent" end })
  end)

  local params = { model = "videos", prompt = "a kite", duration = 5 }
  local calls = {
    ["create with a key"] = function()
      client:create(params, { key = "kite" })
    end,
    ["create with a take"] = function()
      client:create(params, { key = "kite", take = 2 })
    end,
    ["generate with a key"] = function()
      client:generate(params, { key = "kite", path = "/tmp/kite.mp4" })
    end,
    pending = function() client:pending() end,
    resume = function() client:resume() end,
    dismiss = function() client:dismiss "0" end,
  }
  for name, call in pairs(calls) do
    it("raises at " .. name .. ", and says what to pass", function()
      local ok, raised = pcall(call)
      assert.is_false(ok)
      assert.truthy(tostring(raised):find("needs a ledger", 1, true))
    end)
  end
end)

describe("a client with a ledger", function()
  local world, client

  before_each(function()
    world = worlds.new()
    client = world:client()
  end)

  after_each(function()
    world:close()
  end)

  for _, key in ipairs { "", "  ", "a\nb", "a\0b", 5, true } do
    it("raises for the key " .. ("%q"):format(tostring(key))
      :gsub("[%c\\]", "?"), function()
      assert.has_error(function()
        client:create(world.params(), { key = key })
      end)
      assert.equal(0, world:sent())
    end)
  end

  local function generate(options)
    options.path = options.path or world.folder .. "/kite.mp4"
    options.interval = 10
    return client:generate(world.params(), options)
  end

  it("generates a video once under a key", function()
    local task, file = generate { key = "kite" }
    assert(task, file)
    local sent = world:sent()
    local again, same = generate { key = "kite" }
    assert(again, same)
    assert.equal(task.id, again.id)
    assert.equal(file.bytes, same.bytes)
    assert.equal(sent, world:sent())
    assert.same({ "downloaded" }, world:states())
  end)

  it("saves a file that was removed a second time, and buys nothing", function()
    local task = assert(generate { key = "kite" })
    os.remove(world.folder .. "/kite.mp4")
    local again, file = generate { key = "kite" }
    assert(again, file)
    assert.equal(task.id, again.id)
    assert.truthy(world:read "kite.mp4")
    assert.equal(1, world:billed())
  end)

  it("records what a query, a wait and a download see", function()
    local task = assert(client:create(world.params(), { key = "kite" }))
    assert.equal("queued", assert(client:query(task)).status)
    assert.same({ "accepted" }, world:states())
    local done = assert(client:wait(task, { interval = 10 }))
    assert.same({ "completed" }, world:states())
    assert(client:download(done, world.folder .. "/kite.mp4"))
    assert.same({ "downloaded" }, world:states())
    local row = world:rows "SELECT path, bytes, sha256 FROM starvideos_orders"[1]
    assert.equal(world.folder .. "/kite.mp4", row.path)
    assert.equal(#world:read "kite.mp4", row.bytes)
    assert.equal(shell.read(shell.fill("sha256sum <@path@ | cut -c 1-64",
      { path = row.path })), row.sha256)
  end)

  describe("whose disk is full when a video has come", function()
    local path

    -- Changes that the ledger refuses from here on.
    local function refuse(condition)
      world:run(([[CREATE TRIGGER full BEFORE UPDATE ON starvideos_orders WHEN %s
        BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END]])
        :format(condition))
    end

    before_each(function()
      path = world.folder .. "/kite.mp4"
      assert(client:create(world.params(), { key = "kite", path = path }))
      world.now = world.now + 200
    end)

    it("keeps it for the next time, and does not rename it yet", function()
      refuse "NEW.sha256 IS NOT NULL"
      local result = assert(client:resume())
      assert.equal("ledger", result.orders[1].err.kind)
      assert.equal(1, result.left)
      assert.is_nil(world:read "kite.mp4")
      world:run "DROP TRIGGER full"
      assert.equal(1, assert(client:resume()).done)
      assert.truthy(world:read "kite.mp4")
      assert.same({ "downloaded" }, world:states())
    end)

    it("recognises it by what was recorded before it was renamed", function()
      refuse "NEW.state = 'downloaded'"
      client:resume()
      assert.truthy(world:read "kite.mp4")
      assert.same({ "completed" }, world:states())
      world:run "DROP TRIGGER full"
      local asked = world.box:tasks().media.requests
      local result = assert(client:resume())
      assert.equal(1, result.done, tostring(result.orders[1].err))
      assert.same({ "downloaded" }, world:states())
      assert.equal(asked, world.box:tasks().media.requests)
    end)
  end)
end)
