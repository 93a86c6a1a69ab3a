-- A worker saves what is in the queue, which others may have written, in its own
-- folder alone.

local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local shell = require "starvideos.nginx.shell"
local worlds = require "spec.ledger.world"

describe("an order of the queue", function()
  local folder, world, client, out, told

  before_each(function()
    folder = files.folder()
    out = folder .. "/out"
    shell.run(shell.fill("mkdir @folder@/out @folder@/else",
      { folder = folder }))
    world = worlds.new(folder .. "/l.db")
    client, told = world:client(), {}
  end)
  after_each(function()
    world:close()
    files.remove(folder)
  end)

  local function sh(command)
    assert(shell.run(shell.fill("cd @folder@ && " .. command,
      { folder = folder })))
  end

  local function enqueue(...)
    local list = {}
    for index, path in ipairs { ... } do
      list[index] = { model = "videos", prompt = "a kite", duration = 5,
        path = path }
    end
    assert(client:enqueue(list))
  end

  local function work(options, method)
    options = options or {}
    options.directory = options.directory or out
    options.on_done = function(order, file, err)
      told[#told + 1] = { order = order, file = file, err = err }
    end
    return assert(client[method or "work"](client, options))
  end

  local function is_left(posts, method)
    told = {}
    local result = work({}, method)
    assert.same({ 0, 1 }, { result.done, result.left })
    assert.same({ "io", "outside" }, { told[1].err.kind, told[1].err.target })
    assert.truthy(told[1].err.message:find("--any-path", 1, true))
    assert.equal(posts, world:sent "POST")
    assert.equal("", shell.read("ls " .. shell.quote(folder .. "/else")))
  end

  -- What was left alone is left so for a minute.
  local function pass_a_minute()
    world:run "UPDATE starvideos_orders SET not_before = 0"
  end

  local function is_saved(path, options)
    local result = work(options)
    assert.equal(1, result.done, told[1] and told[1].err and told[1].err.message)
    assert.truthy(files.read(folder .. "/" .. path))
  end

  for name, case in pairs {
    ["at an absolute path"] = { "true", "/else/a.mp4", "else/a.mp4" },
    ["in a folder that is a link"] = { "ln -s ../else out/sub", "sub/a.mp4",
      "else/a.mp4" },
    ["in a folder below one"] = { "ln -s ../else out/sub", "sub/b/a.mp4",
      "else/b/a.mp4" },
    ["in a folder whose name begins like it"] = { "mkdir outer", "/outer/a.mp4",
      "outer/a.mp4" },
  } do
    it(name .. " is not sent, but where that is allowed", function()
      sh(case[1])
      enqueue((case[2]:gsub("^/", folder .. "/")))
      is_left(0)
      pass_a_minute()
      is_saved(case[3], { any_path = true })
    end)
  end

  it("at a link is not sent where it may overwrite", function()
    sh "ln -s ../victim out/a.mp4 && echo precious >victim"
    enqueue "a.mp4"
    local result = work { overwrite = true }
    assert.same({ 1, 0 }, { result.left, world:sent "POST" })
    assert.equal("precious\n", files.read(folder .. "/victim"))
  end)

  it("is not sent where its row leads out", function()
    enqueue "a.mp4"
    world:run("UPDATE starvideos_orders SET path = ?", "b/../../else/a.mp4")
    is_left(0)
  end)

  it("is not saved through a link that comes while it is made", function()
    enqueue "sub/a.mp4"
    function world.before_request(req)
      if req.method == "POST" then
        sh "rmdir out/sub && ln -s ../else out/sub"
      end
    end
    is_left(1)
    pass_a_minute()
    is_left(1, "resume")
    sh "rm out/sub"
    pass_a_minute()
    is_saved "out/sub/a.mp4"
    assert.equal(1, world:sent "POST")
  end)

  it("is saved in a folder that is a link itself, and by links within",
    function()
      sh "ln -s out link && mkdir out/deep && ln -s deep out/sub"
      enqueue "sub/a.mp4"
      is_saved("out/deep/a.mp4", { directory = folder .. "/link" })
    end)

  it("is saved where it says while no folder was named", function()
    enqueue(folder .. "/else/a.mp4")
    assert.equal(1, assert(client:work {}).done)
    assert.truthy(core.kind(folder .. "/else/a.mp4"))
  end)

  it("keeps none of the others from being saved", function()
    local paths = {}
    for index = 1, 8 do
      paths[index] = ("%s/else/%d.mp4"):format(folder, index)
    end
    paths[9] = "z.mp4"
    enqueue((table.unpack or unpack)(paths))
    local result = work()
    assert.same({ 1, 8 }, { result.done, result.left })
  end)
end)
