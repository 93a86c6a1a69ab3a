-- One file, however its path is spelt.

local assert = require "luassert"
local busted = require "busted"
local claimed_orders = require "starvideos.fleet.claimed_order"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local memory = require "starvideos.ledger.memory"
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

local it = busted.it

return worlds.behaviour("a file with several spellings", function(begin)
  local world

  local function at(name)
    return world.folder .. "/" .. name
  end

  local function link(target, name)
    assert(shell.run(shell.fill("ln -sfn @target@ @name@",
      { target = target, name = at(name) })))
  end

  begin(function(new)
    world = new
    shell.run(shell.fill("mkdir -p @folder@/real/deep",
      { folder = world.folder }))
    link("real", "link")
    link("link", "chain")
    link(at "real/deep", "real/down")
  end)

  local spellings = { "real/a.mp4", "link/a.mp4", "real/../real/a.mp4",
    "chain/a.mp4", "real//a.mp4", "./real/./a.mp4", "missing/../link/a.mp4",
    "link/down/../a.mp4", "real/deep/.././a.mp4" }

  local function generate(path, options)
    options = options or {}
    options.path = options.relative and path or at(path)
    options.relative = nil
    return world:client():generate(world.params(), options)
  end

  it("is ordered once", function()
    local first
    for _, path in ipairs(spellings) do
      local task = assert(world.create(world:client(), nil,
        { path = at(path) }))
      first = first or task.id
      assert.equal(first, task.id, path)
    end
    assert.equal(1, world:sent "POST")
  end)

  it("is made once, and saved once", function()
    for _, path in ipairs(spellings) do
      local task, file = generate(path)
      assert(task, tostring(file))
      assert.equal(at(path), file.path)
    end
    assert.equal(1, world:sent "POST")
    assert.truthy(files.read(at "real/a.mp4"))
  end)

  it("is made once at a time", function()
    local refused
    assert(world:client():generate(world.params(), { path = at "real/a.mp4",
      on_task = function()
        refused = select(2, generate "link/a.mp4")
      end }))
    assert.equal("busy", refused.target)
    assert.equal(1, world:sent "POST")
  end)

  it("is found by each of them", function()
    local task = assert(world.create(world:client(), nil,
      { path = at "link/a.mp4" }))
    for _, path in ipairs(spellings) do
      assert.equal(task.id, assert(world:client():order(at(path))).task_id)
    end
  end)

  it("is what a link with its name leads to, and the link stays", function()
    files.write(at "real/a.mp4", "old")
    link("real/a.mp4", "a.mp4")
    local _, err = generate "a.mp4"
    assert.equal("exists", err.target)
    assert.equal(0, world:sent "POST")
    assert(generate("a.mp4", { overwrite = true }))
    assert.is_not.equal("old", files.read(at "real/a.mp4"))
    assert.truthy(shell.run(shell.fill("test -L @name@",
      { name = at "a.mp4" })))
    assert(generate("chain/a.mp4"))
    assert.equal(1, world:sent "POST")
  end)

  it("keeps what is unfinished beside the file itself", function()
    local beside = {}
    files.write(at "real/a.mp4", "old")
    link("real/a.mp4", "a.mp4")
    function world.before_request()
      for _, ending in ipairs { ".lock", ".part.json" } do
        beside[ending] = core.kind(at("real/a.mp4" .. ending)) or beside[ending]
        assert.is_nil(core.kind(at("a.mp4" .. ending)))
      end
    end
    assert(generate("a.mp4", { overwrite = true }))
    assert.same({ [".lock"] = "file", [".part.json"] = "file" }, beside)
  end)

  -- LuaJIT alone can change the directory without a library.
  local has_ffi, ffi = pcall(require, "ffi")

  if has_ffi and core.system() == "posix" then
    it("stays the same where the program changes its directory", function()
      local here, file = core.directory(), nil
      ffi.cdef "int chdir(const char *);"
      ffi.C.chdir(world.folder)
      local called, problem = pcall(function()
        file = select(2, assert(generate("a.mp4", { relative = true,
          on_task = function() ffi.C.chdir "/" end })))
      end)
      ffi.C.chdir(here)
      assert(called, problem)
      assert.equal("a.mp4", file.path)
      assert.truthy(files.read(at "a.mp4"))
      assert(generate "a.mp4")
      assert.equal(1, world:sent "POST")
      assert.equal(core.real(at "a.mp4"),
        world:rows("SELECT path FROM starvideos_orders")[1].path)
    end)
  end

  it("is not ordered where a link leads nowhere", function()
    link("nothing", "dangling.mp4")
    link("nowhere", "folder")
    link("dangling.mp4", "chained.mp4")
    link("loop.mp4", "loop.mp4")
    link("pong", "ping")
    link("ping", "pong")
    for _, path in ipairs { "dangling.mp4", "folder/a.mp4", "chained.mp4",
      "loop.mp4", "ping/a.mp4", "real/", "new/", "link/.", "link/down/.." } do
      for _, overwrite in ipairs { false, true } do
        local _, err = generate(path, { overwrite = overwrite })
        assert.same({ "io", "blocked" }, { err.kind, err.target }, path)
        assert.truthy(err.message:find "nothing was ordered$", err.message)
      end
      local _, err = world.create(world:client(), nil, { path = at(path) })
      assert.same({ "io", "blocked" }, { err.kind, err.target }, path)
    end
    assert.equal(0, world:sent())
  end)

  -- The key of an order as earlier versions recorded it.
  local function key_of(path)
    local machine = world.address:find "^postgres" and core.machine "name"
    return (machine and machine .. ":" or "") .. at(path)
  end

  it("is not ordered again where it was recorded as it was given", function()
    local client = world:client()
    local before = assert(world.create(client, nil,
      { key = key_of "link/a.mp4" }))
    for _ = 1, 2 do
      assert.equal(before.id, assert(world.create(world:client(), nil,
        { path = at "link/a.mp4" })).id)
    end
    assert(generate "link/a.mp4")
    assert.equal(1, world:sent "POST")
  end)

  -- As another process has recorded it: this one has sent no such order.
  local function forge(...)
    memory.clear()
    world:run(...)
  end

  it("is not bought a third time where it was bought twice", function()
    local client = world:client()
    local one = assert(world.create(client, nil, { key = key_of "link/a.mp4" }))
    assert(world.create(client, nil, { key = key_of "real/a.mp4" }))
    forge("UPDATE starvideos_orders SET state = 'refused'"
      .. " WHERE order_key = ?", key_of "real/a.mp4")
    assert.equal(one.id, assert(world.create(world:client(), nil,
      { path = at "link/a.mp4" })).id)
    forge("UPDATE starvideos_orders SET state = 'unknown'"
      .. " WHERE order_key = ?", key_of "real/a.mp4")
    assert.equal("outcome_unknown", select(2, world.create(world:client(),
      nil, { path = at "link/a.mp4" })).kind)
    forge("UPDATE starvideos_orders SET state = 'downloaded'"
      .. " WHERE order_key = ?", key_of "link/a.mp4")
    assert.equal(one.id, assert(world.create(world:client(), nil,
      { path = at "link/a.mp4" })).id)
    assert.equal(2, world:sent "POST")
  end)

  it("is ordered under what it is recorded as, where it was not", function()
    local client = world:client()
    assert(world.create(client, nil, { key = key_of "link/a.mp4" }))
    forge "UPDATE starvideos_orders SET state = 'refused', task_id = NULL"
    for _ = 1, 2 do
      assert(world.create(client, nil, { path = at "link/a.mp4" }))
    end
    assert.equal(2, world:sent "POST")
    assert.equal(1, #world:rows "SELECT order_id FROM starvideos_orders")
  end)

  local function listed(path)
    return world.params(nil, { path = path })
  end

  it("is one order of a list, and two are a fault", function()
    local client = world:client()
    local pairs_of = { { "link/a.mp4", "real/a.mp4" },
      { "chain/new/a.mp4", "real/new//a.mp4" }, { "link/down/a.mp4",
        "real/deep/a.mp4" } }
    for _, pair in ipairs(pairs_of) do
      local one, other = pair[1], pair[2]
      for _, refused in ipairs {
        { client:enqueue { listed(at(one)), listed(at(other)) } },
        { client:enqueue({ listed(one), listed(other) },
          { directory = world.folder }) },
        { client:generate_all({ listed(one), listed(other) },
          { directory = world.folder }) } } do
        local err = refused[2]
        assert.equal("validation", err.kind)
        assert.equal("conflict", err.violations[1].code, one)
      end
    end
    link("nothing", "dangling")
    assert.equal("bad_path", select(2, client:enqueue { listed(
      at "dangling/a.mp4") }).violations[1].code)
    assert.equal(0, world:sent())
  end)

  it("is one order of the queue", function()
    local client = world:client()
    assert(client:enqueue { listed(at "link/a.mp4") })
    local again = assert(client:enqueue { listed(at "real/a.mp4") })
    assert.is_true(again[1].known)
    assert(world.create(client, nil, { path = at "chain/a.mp4" }))
    assert(client:enqueue { listed(at "real/down/../a.mp4") } == nil)
    assert.equal(1, world:sent "POST")
    assert.equal(1, #world:rows "SELECT order_id FROM starvideos_orders")
  end)

  it("is made once by a worker that has it twice", function()
    local client = world:client()
    for _, path in ipairs { "link/a.mp4", "real/a.mp4", "chain/a.mp4" } do
      assert(client:enqueue { listed(path) })
    end
    local later = claimed_orders.policy.later
    claimed_orders.policy.later = 0.05
    local result, err = client:work { directory = world.folder }
    claimed_orders.policy.later = later
    assert(result, err)
    assert.same({ 1, 0 }, { result.done, result.failed })
    assert.equal(1, world:sent "POST")
  end)

  it("is made by a list and alone once", function()
    local client = world:client()
    assert(client:generate_all { listed(at "link/a.mp4") })
    assert(generate "real/a.mp4")
    assert(client:generate_all { listed(at "chain/a.mp4") })
    assert.equal(1, world:sent "POST")
  end)
end)
