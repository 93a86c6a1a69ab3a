-- A ledger's file that is not what it was, while a program has it open: whoever
-- opens it by its path then sees other orders, and would buy the same again.

local contexts = require "starvideos.context"
local core = require "starvideos.core"
local crews = require "spec.fixtures.crew"
local databases = require "starvideos.ledger.database"
local enqueue = require "starvideos.fleet.enqueue"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local kernel = require "spec.fixtures.kernel"
local locations = require "starvideos.ledger.location"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"
local worlds = require "spec.ledger.world"

-- What somebody does to the ledger, as a shell command, and what is said of it.
local DEEDS = {
  { "removed", "rm @db@", "moved or removed" },
  { "removed with its log", "rm @db@*", "moved or removed" },
  { "moved", "mv @db@ @folder@/other.db", "moved or removed" },
  { "in a folder that is moved", "mv @folder@/in @folder@/out",
    "moved or removed" },
  { "replaced by a copy of it", "cp @db@ @folder@/copy && mv @folder@/copy @db@",
    "another file has taken its place" },
  { "replaced by a backup of it with its log",
    "mkdir @folder@/b && cp @db@* @folder@/b && mv @folder@/b/* @folder@/in",
    "another file has taken its place" },
  { "replaced by an empty file", "rm @db@ && : >@db@",
    "another file has taken its place" },
  { "replaced by a folder", "rm @db@ && mkdir @db@",
    "another file has taken its place" },
  { "replaced by a link to another", "cp @db@ @folder@/c && rm @db@ &&"
    .. " ln -s @folder@/c @db@", "another file has taken its place" },
  { "one whose log is removed", "rm @db@-wal", "-wal or -shm" },
  { "one whose log is a copy", "cp @db@-wal @folder@/w && mv @folder@/w @db@-wal",
    "-wal or -shm" },
  { "one whose shared memory is removed", "rm @db@-shm", "-wal or -shm" },
  { "linked beside it", "ln @db@ @db@.bak", "remove one of the names" },
  { "linked in another folder", "mkdir @folder@/b && ln @db@ @folder@/b/l.db",
    "remove one of the names" },
}

-- A program that orders once and says what came of it.
local TRY = [[
  local client = assert(require("starvideos").new { ledger = arg[1],
    api_key = "key", transport = function() return { status = 200, headers = {},
      body = '{"status":"queued","id":"t"}' } end })
  local task, err = client:create({ model = "videos", prompt = "a",
    duration = 5 }, { key = "k" })
  print(task and "bought" or err.kind .. "\t" .. err.message,
    #assert(client:pending()))]]

describe("the file of a ledger", function()
  local folder, world, path

  before_each(function()
    folder = files.folder()
    shell.run(shell.fill("mkdir @folder@/in", { folder = folder }))
    path = folder .. "/in/l.db"
    world = worlds.new(path)
  end)
  after_each(function()
    world:close()
    files.remove(folder)
  end)

  local function sh(command)
    assert(shell.run(shell.fill(command, { db = path, folder = folder })))
  end

  local function create(client, key)
    return client:create(world.params(), { key = key })
  end

  local function refuses(client, key, words)
    local posts = world:sent "POST"
    local task, err = create(client, key)
    assert.is_nil(task)
    assert.equal("ledger", err.kind)
    assert.truthy(err.message:find("nothing was sent", 1, true), err.message)
    assert.truthy(err.message:find(words, 1, true), err.message)
    assert.equal(posts, world:sent "POST")
  end

  -- The same order, in another process that ends.
  local function order_elsewhere(key)
    local id = world:child("buy " .. key)
    assert.truthy(id:find "^[%w_-]+$", id)
    return id
  end

  for _, deed in ipairs(DEEDS) do
    local name, command, words = deed[1], deed[2], deed[3]

    it(name .. " takes no order, and goes on with what it has", function()
      local client = world:client()
      local task = assert(create(client, "first"))
      sh(command)
      refuses(client, "second", words)
      assert.equal(task.id, assert(create(client, "first")).id)
      local video = assert(client:wait(task.id))
      assert.equal("completed", video.status)
      assert(client:download(video, folder .. "/v.mp4"))
      local orders = assert(client:pending { all = true })
      assert.same({ 1, "downloaded" }, { #orders, orders[1].state })
    end)
  end

  for _, deed in ipairs { DEEDS[1], DEEDS[5], DEEDS[10], DEEDS[13] } do
    it(deed[1] .. " is refused to a queue and to a worker", function()
      local client = world:client()
      local function enqueue_one(name)
        return client:enqueue { { model = "videos", prompt = "a kite",
          duration = 5, path = folder .. name } }
      end
      assert(enqueue_one "/a.mp4")
      sh(deed[2])
      local list, err = enqueue_one "/b.mp4"
      assert.is_nil(list)
      assert.truthy(err.message:find(deed[3], 1, true), err.message)
      local done
      done, err = client:work { directory = folder }
      assert.is_nil(done)
      assert.equal("ledger", err.kind)
      assert.truthy(err.message:find(deed[3], 1, true), err.message)
      assert.equal(0, world:sent "POST")
    end)
  end

  it("that was moved admits no request of a gateway, but those it has", function()
    local context = contexts.of(world:client { account = "alice" })
    local first = assert(enqueue.admit(context, world.params(), { key = "first" }))
    sh "mv @db@ @folder@/x"
    local row, err = enqueue.admit(context, world.params(), { key = "second" })
    assert.is_nil(row)
    assert.truthy(err.message:find("nothing was sent", 1, true), err.message)
    assert.equal(first.row.order_id, assert(enqueue.admit(context, world.params(),
      { key = "first" })).row.order_id)
  end)

  -- An order that waits for its turn has been placed, and is sent later.
  it("that was moved while an order waited sends that neither", function()
    local ledger = contexts.of(world:client()).ledger
    local verdict, row = ledger:begin({ key = "second", take = 1,
      model = "videos", params = "{}", base_url = "" }, {})
    assert.equal("send", verdict)
    sh "mv @db@ @folder@/x"
    for _, step in ipairs { "renew", "submitting" } do
      local after, err = ledger[step](ledger, row)
      assert.is_nil(after)
      assert.truthy(err.message:find("moved or removed", 1, true), err.message)
    end
  end)

  it("takes orders again when it is what it was", function()
    local client = world:client()
    assert(create(client, "first"))
    for _, pair in ipairs {
      { "mv @db@ @folder@/x", "mv @folder@/x @db@" },
      { "mv @db@-wal @folder@/x", "mv @folder@/x @db@-wal" },
      { "ln @db@ @folder@/x", "rm @folder@/x" },
      { "mv @folder@/in @folder@/out && mkdir @folder@/in"
        .. " && cp @folder@/out/* @folder@/in",
        "rm -r @folder@/in && mv @folder@/out @folder@/in" },
    } do
      sh(pair[1])
      refuses(client, "second", "")
      sh(pair[2])
    end
    assert(create(client, "second"))
  end)

  it("mounted alone takes no order", function()
    files.write(folder .. "/try.lua", TRY)
    sh ": >@db@; : >@folder@/mounted.db"
    local said = shell.read(shell.fill([[unshare -m sh -c '
      mount --bind "$1" "$2" && exec "$3" "$4" "$2"' - @db@ @m@ @lua@ @try@ 2>&1]],
      { db = path, m = folder .. "/mounted.db", lua = interpreter,
        try = folder .. "/try.lua" }))
    if said:find "^unshare:" or said:find "^mount:" then
      return pending("this account may not mount: " .. said)
    end
    assert.truthy(said:find "^ledger\t.*nothing was sent; mount the folder,"
      and said:find "\t0%s*$", said)
  end)

  it("reached by links is one ledger", function()
    sh "ln -s @folder@/in @folder@/link && ln -s l.db @folder@/in/other.db"
    local one = world:client()
    local task = assert(create(one, "first"))
    for _, name in ipairs { "/link/l.db", "/in/other.db", "/in/../in/l.db" } do
      local other = world:client { ledger = folder .. name }
      assert.equal(task.id, assert(create(other, "first")).id)
      assert(create(other, name))
      assert(create(one, name))
    end
    assert.equal(4, world:sent "POST")
  end)

  -- The modes of what is there, by the ends of the names.
  local function modes()
    return (shell.read(shell.fill("cd @folder@/in && stat -c '%n=%a' * | sort",
      { folder = folder })):gsub("%s+", " "):gsub(" $", ""))
  end

  it("is for its owner alone, with all that lies beside it", function()
    local client = world:client()
    assert(create(client, "first"))
    assert.equal("l.db-shm=600 l.db-wal=600 l.db=600", modes())
    client:close()
    assert.equal("l.db=600", modes())
  end)

  it("loses the rights of others when it is opened, not those of a group",
    function()
      local client = world:client()
      assert(create(client, "first"))
      sh "chmod 664 @db@ && chmod 666 @db@-wal @db@-shm"
      local other = world:client()
      assert(create(other, "second"))
      assert.equal("l.db-shm=660 l.db-wal=660 l.db=660", modes())
      order_elsewhere "third" -- the locks of both are held
      assert.equal(3, #world:states())
      client:close()
      assert(create(other, "fourth"))
    end)

  -- SQLite gives what it makes beside a file the rights that this has at the time.
  it("that was once read-only can be written again, with what lies beside it", function()
    local client = world:client()
    assert(create(client, "first"))
    sh "chmod 444 @db@-shm @db@-wal"
    assert(create(world:client(), "second"))
    assert.equal("l.db-shm=640 l.db-wal=640 l.db=600", modes())
  end)

  it("loses them through a link, and what else has a link's name does not",
    function()
      sh "touch @folder@/other && chmod 666 @folder@/other && : >@db@"
      sh "chmod 644 @db@ && ln -s @db@ @folder@/link.db"
      -- Only its name is the log's.
      sh "ln -s @folder@/other @folder@/link.db-wal"
      assert(create(world:client { ledger = folder .. "/link.db" }, "first"))
      assert.equal("640", files.mode(path))
      assert.equal("666", files.mode(folder .. "/other"))
    end)

  it("that is a link to nothing is refused", function()
    sh "ln -s nothing.db @folder@/in/link.db && ln -s loop.db @folder@/in/loop.db"
    for name, words in pairs { link = "a link to something that does not exist",
      loop = "symbolic links" } do
      local client, err = starvideos.new { api_key = "key",
        ledger = ("%s/in/%s.db"):format(folder, name) }
      assert.is_nil(client)
      assert.truthy(err.message:find(words, 1, true), err.message)
    end
    assert.is_nil(core.kind(folder .. "/in/nothing.db"))
  end)

  it("is one by all its names to what this process remembers", function()
    sh "ln -s @folder@/in @folder@/link"
    local one = world:client()
    assert(create(one, "first"))
    one:close()
    sh "rm @db@*"
    local other = world:client { ledger = folder .. "/link/l.db" }
    assert(create(other, "first"))
    assert.equal(1, world:sent "POST")
  end)

  it("that a client has not opened before takes its orders", function()
    local former, ids = world:client(), {}
    ids[1] = assert(create(former, "first")).id
    sh "rm @db@*"
    local later = world:client()
    assert(create(later, "of a new ledger"))
    ids[2] = assert(create(later, "first")).id -- which this process knows
    assert.equal(ids[1], ids[2])
    refuses(former, "second", "another file has taken its place")
    assert.equal(2, world:sent "POST")
  end)

  it("is looked at by the ledger's thread, too", function()
    local client = world:client { runtime = "frame", clock = nil, sleep = nil }
    local function call(key)
      local handle = client:async(function() return create(client, key) end)
      while not handle.done do
        client:update()
        process.readable(-1, 0.001)
      end
      return handle.result, handle.err
    end
    assert(call "first")
    sh "mv @db@ @folder@/x"
    local _, err = call "second"
    assert.truthy(err.message:find("moved or removed", 1, true), err.message)
    assert.equal(1, world:sent "POST")
  end)

  for name, deed in pairs {
    ["opens and closes it"] = function() io.open(path, "rb"):close() end,
    ["copies it"] = function() assert(files.read(path)) end,
    ["writes nothing to it"] = function() io.open(path, "ab"):close() end,
  } do
    it("keeps its log where the host " .. name .. " and others end", function()
      local client = world:client()
      local ids = { assert(create(client, "k1")).id }
      deed()
      order_elsewhere "k2"
      ids[2] = assert(create(client, "k3")).id
      client:close()
      assert.same({ "accepted", "accepted", "accepted" }, world:states())
      assert.same({ ids[1], ids[2] }, { order_elsewhere "k1",
        order_elsewhere "k3" })
    end)
  end

  it("whose log was removed is left to others when it is closed", function()
    local client = world:client()
    assert(create(client, "first"))
    sh "rm @db@-wal @db@-shm"
    order_elsewhere "k2"
    client:close()
    order_elsewhere "k2"
    assert.equal("x\n", world:read "posts")
    assert.same({ "accepted" }, world:states())
  end)

  it("lets programs copy its log into it, pack it, and back it up", function()
    local client = world:client()
    assert(create(client, "first"))
    local other = databases.new(path)
    local function all_copied()
      local row = assert(other:rows "PRAGMA wal_checkpoint(TRUNCATE)")[1]
      return tonumber(row.busy) == 0
    end
    assert.is_true(all_copied())
    assert(other:run "VACUUM")
    assert(client:backup(folder .. "/copy.db"))
    assert(create(client, "second"))
    assert.is_true(all_copied())
    other:close()
    assert(create(client, "third"))
  end)

  -- Names in its folder.
  local function names()
    return (shell.read(shell.fill("ls @folder@/in", { folder = folder }))
      :gsub("%s+", " "):gsub(" $", ""))
  end

  it("is whole without its log when the last one has closed it", function()
    local one, other = world:client(), world:client()
    assert(create(one, "first"))
    assert(create(other, "second"))
    one:close()
    assert.equal("l.db l.db-shm l.db-wal", names())
    other:close()
    assert.equal("l.db", names())
    local again = world:client()
    assert(create(again, "third"))
    again:close()
    assert.equal("l.db", names())
  end)

  it("is whole when a program has ended that closed nothing", function()
    files.write(folder .. "/try.lua", TRY)
    sh(interpreter .. " @folder@/try.lua @db@ >@folder@/said")
    assert.equal("l.db", names())
  end)

  it("has its log while a child has it open, or its parent", function()
    local client = world:client()
    assert(create(client, "first"))
    local child = process.start(function()
      io.open(path):close()
      assert(create(client, "of the child"))
      files.write(folder .. "/begun", "")
      while not files.read(folder .. "/closed") do
        process.readable(-1, 0.005)
      end
      io.open(path):close()
      order_elsewhere "elsewhere"
      return create(client, "of the child again") ~= nil
    end)
    while not files.read(folder .. "/begun") do
      process.readable(-1, 0.005)
    end
    io.open(path):close()
    order_elsewhere "between"
    assert(create(client, "second"))
    client:close()
    files.write(folder .. "/closed", "")
    assert.is_true(process.await(child))
    assert.equal(6, #world:states())
  end)

  it("leaves no descriptor of one that was removed", function()
    local function count()
      return tonumber(shell.read "readlink /proc/$PPID/fd/* | grep -c l.db")
    end
    for _ = 1, 4 do
      local client = world:client()
      assert(create(client, "first"))
      client:close()
      sh "rm @db@"
    end
    assert.is_true(count() <= 1)
  end)

  -- What becomes of the ledger while the provider makes an answer.
  local function while_sending(command, count)
    local posts = 0
    function world.before_request(req)
      posts = posts + (req.method == "POST" and 1 or 0)
      if req.method == "POST" and posts == count then
        sh(command)
      end
    end
  end

  for _, deed in ipairs { DEEDS[1], DEEDS[3], DEEDS[6], DEEDS[11] } do
    it(deed[1] .. " while an order is sent: its task is told at once", function()
      local client = world:client()
      assert(create(client, "first"))
      while_sending(deed[2], 1)
      local slept = world.slept
      local task, err = create(client, "second")
      assert.is_nil(task)
      assert.equal("ledger", err.kind)
      assert.same({ err.task_id, slept }, { err.task.id, world.slept })
      assert.truthy(err.message:find("task " .. err.task_id .. " was bought",
        1, true))
      assert.truthy(err.message:find(deed[3], 1, true), err.message)
      assert.falsy(err.message:find("nothing was sent", 1, true))
      assert.equal("completed", assert(client:wait(err.task_id)).status)
      refuses(client, "third", deed[3])
    end)
  end

  local function enqueue_all(client, count)
    local list = {}
    for index = 1, count do
      list[index] = { model = "videos", prompt = "a kite", duration = 5,
        path = ("k%d.mp4"):format(index) }
    end
    return client:enqueue(list)
  end

  for _, deed in ipairs { DEEDS[2], DEEDS[5], DEEDS[12] } do
    it(deed[1] .. " under a worker: it saves what was bought, and ends", function()
      local client, told = world:client(), {}
      assert(enqueue_all(client, 8))
      while_sending(deed[2], 2)
      local result, err = client:work { directory = folder,
        on_done = function(order, file, problem)
          told[#told + 1] = file and files.read(file.path) and order.task_id
            or problem.task_id
        end }
      assert.is_nil(result)
      assert.equal("ledger", err.kind)
      assert.truthy(err.message:find(deed[3], 1, true), err.message)
      assert.truthy(err.message:find("no further order was sent", 1, true))
      assert.same({ world:sent "POST", world:billed() },
        { world:billed(), #told })
      assert.is_true(world:billed() < 8)
    end)
  end

  for _, method in ipairs { "work", "resume" } do
    it("removed under a stopped " .. method .. ": it tells all tasks", function()
      local crew = crews.new(world)
      finally(crew.close)
      local client = crew:client()
      for index = 1, method == "resume" and 3 or 0 do
        assert(create(client, "k" .. index))
      end
      assert(method == "resume" or enqueue_all(client, 3))
      local worker = crew:start({}, nil, method)
      crew:go(20, worker)
      assert.equal(3, world:billed())
      sh "rm @db@*"
      worker.handle:cancel()
      crew:go(20, worker)
      local err = crews.err_of(worker)
      assert.truthy(err.message:find("moved or removed", 1, true), err.message)
      assert.falsy(err.message:find("nothing is lost", 1, true))
      assert.equal(3, #worker.done)
      for _, one in ipairs(worker.done) do
        assert.truthy(one.err.message:find(one.err.task_id, 1, true))
      end
    end)
  end

  it("on a network file system takes no order, and goes on with those it has",
    function()
      local client = world:client()
      local task = assert(create(client, "first"))
      assert(enqueue_all(client, 1))
      client:close()
      local file_system = core.file_system
      finally(function() core.file_system = file_system end)
      core.file_system = function() return "nfs" end
      client = world:client()
      refuses(client, "second", "on a network file system (nfs)")
      refuses(client, "second", "postgres://")
      assert.equal(task.id, assert(create(client, "first")).id)
      local done, err = client:work { directory = folder }
      assert.is_nil(done)
      assert.truthy(err.message:find("network file system", 1, true))
      assert.equal(1, assert(client:resume { directory = folder }).done)
      client = world:client { ledger = folder .. "/new.db" }
      local _, problem = client:create(world.params())
      assert.equal("ledger", problem.kind)
      assert.is_nil(core.disk("size", folder .. "/new.db"))
    end)

  it("is refused where the system says that it is on a network", function()
    local run = kernel.build(folder)
    for kind, name in pairs { ["0x6969"] = "nfs", ["0xFF534D42"] = "cifs",
      ["0x01021997"] = "9p", ["0x517B"] = "smb" } do
      local said = run("FILE_SYSTEM=" .. kind, TRY, path)
      assert.truthy(said:find("^ledger\t.*network file system %(" .. name
        .. "%)"), said)
    end
    assert.truthy(run("FILE_SYSTEM=0xEF53", TRY, path):find "^bought")
  end)

  it("is on a network where the file system is one of several machines", function()
    for _, name in ipairs { "nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs",
      "fuse.rclone", "ceph", "smbfs", "AFPFS", "network", "fuse.s3fs" } do
      assert.is_true(locations.is_network(name), name)
    end
    for _, name in ipairs { "ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs",
      "apfs", "NTFS", "fuse", "fuse.ntfs-3g", "fuseblk", "fuse.gocryptfs", "0x1" } do
      assert.is_false(locations.is_network(name), name)
    end
    assert.is_false(locations.is_network(nil))
    assert.is_false(locations.is_network(core.file_system(path)))
    assert.equal("tmpfs", core.file_system "/dev/shm/not/there"
      or core.file_system "/dev/shm")
  end)
end)
