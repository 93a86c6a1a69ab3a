-- A ledger in a file, in a process and its child. SQLite's locks stay with the
-- parent, and what tells of them is inherited: the log was taken away from under
-- a child, with all that it wrote.

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local files = require "spec.fixtures.files"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"

describe("a ledger's file", function()
  local folder, database

  before_each(function()
    folder = files.folder()
    database = databases.new(folder .. "/ledger.db")
    assert(database:run "CREATE TABLE orders (id INTEGER)")
  end)
  after_each(function()
    database:close()
    files.remove(folder)
  end)

  local function insert(id)
    return database:run("INSERT INTO orders VALUES (?)", id)
  end

  local function ids()
    local list = {}
    for index, row in ipairs(assert(database:rows "SELECT id FROM orders")) do
      list[index] = tonumber(row.id)
    end
    return list
  end

  local function is_there(name)
    local file = io.open(folder .. "/" .. name)
    return file ~= nil and file:close()
  end

  local function until_there(name)
    while not is_there(name) do
      process.readable(-1, 0.005)
    end
  end

  it("keeps what a child writes after its parent has closed it", function()
    insert(1)
    local child = process.start(function()
      insert(2)
      files.write(folder .. "/begun", "")
      until_there "closed"
      return insert(3)
    end)
    until_there "begun"
    database:close()
    files.write(folder .. "/closed", "")
    assert.is_true(process.await(child))
    assert.same({ 1, 2, 3 }, ids())
  end)

  it("is refused to a child whose parent has closed it before", function()
    insert(1)
    local child = process.start(function()
      until_there "closed"
      local _, why = insert(2)
      local _, again = insert(2)
      return why == again and why:find("has closed it", 1, true)
    end)
    database:close()
    files.write(folder .. "/closed", "")
    assert.is_true(process.await(child))
    assert.same({ 1 }, ids())
  end)

  it("opens for a child whose parent had closed it before the fork", function()
    insert(1)
    database:close()
    assert.is_true(process.in_child(function() return insert(2) end))
    assert.same({ 1, 2 }, ids())
  end)

  it("opens for a grandchild, too", function()
    insert(1)
    assert.is_true(process.in_child(function()
      insert(2)
      return process.in_child(function() return insert(3) end)
    end))
    assert.same({ 1, 2, 3 }, ids())
  end)

  -- SQLite's lock of a file, in whose midst another program is.
  local SHARED = 0x40000002
  local CLAIMS = [[
    local core = require "starvideos.core"
    return core.claim_sqlite_locks, print, function() end, function() end]]

  it("that another program holds takes no descriptor at each try", function()
    local path = folder .. "/held"
    local lock = process.lock(path, SHARED)
    local memory = process.lock(path .. "-shm", 0) -- open here, and in the child
    core.note_sqlite_locks(path)
    local child = process.start(function()
      local function count()
        return tonumber(shell.read "readlink /proc/$PPID/fd/* | grep -c /held")
      end
      local before = count()
      return not core.claim_sqlite_locks(path)
        and not core.claim_sqlite_locks(path) and count() == before
    end)
    assert.is_true(process.await(child))
    process.close(lock)
    process.close(memory)
  end)

  it("holds up no grandchild that is forked while it is claimed", function()
    local path = folder .. "/held"
    local lock, memory = process.lock(path, SHARED),
      process.lock(path .. "-shm", 0)
    core.note_sqlite_locks(path)
    local child = process.start(function()
      local actor = core.actor { source = CLAIMS, fork_seconds = 0.01 }
      local message = actor:post(false, path)
      while actor:busy_seconds() == 0 do
        actor:wait(0.005)
      end
      process.readable(-1, 0.1)
      local grandchild = process.start(function()
        shell.run(("(sleep 3; kill -9 %d) >/dev/null 2>&1 &"):format(
          core.process_id()))
        return core.claim_sqlite_locks "another"
      end)
      return not message:done() and process.await(grandchild)
    end)
    assert.is_true(process.await(child))
    process.close(lock)
    process.close(memory)
  end)
end)

describe("the number of a process", function()
  for name, fork in pairs { fork = process.fork,
    ["a fork that calls no handler"] = process.fork_silently } do
    it("is another in the child of " .. name, function()
      local parent = core.process_id()
      local child = process.start(function()
        local own = core.process_id()
        return own ~= parent and own == core.process_id()
          and core.process_exists(own)
      end, fork)
      assert.is_true(process.await(child))
      assert.equal(parent, core.process_id())
      assert.not_equal(parent, child)
    end)
  end
end)
