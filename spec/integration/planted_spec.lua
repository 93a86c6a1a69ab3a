-- What others have put beside a target before the library does: a link, by which
-- it would write elsewhere, or a file of another account.

local clip = require "spec.fixtures.clip"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local json = require "starvideos.base.json"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local FILM = clip.mp4()
local ENDINGS = { ".part", ".part.json", ".part.test", ".lock" }

-- A program that makes a video, for another account or one with fewer rights.
local SCRIPT = [[
local clip = require "spec.fixtures.clip"
local answers = { POST = { status = 200, headers = {}, body =
  '{"id":"v","status":"completed","video_url":"https://media.example/1.mp4"}' },
  GET = { status = 200, headers = { etag = '"v1"' }, body = clip.mp4() } }
local posts = 0
local client = assert(require("starvideos").new { api_key = "key",
  transport = function(req)
    posts = posts + (req.method == "POST" and 1 or 0)
    return answers[req.method]
  end, sleep = function() end })
local _, file = client:generate({ model = "videos", prompt = "a", duration = 5 },
  { path = arg[1] })
print(posts, file.bytes or file.target, file.bytes and "saved" or file.message)
]]

local ALL = "@lua@ @script@ @path@ 2>&1"
-- Root without its privileges, like any account but that it owns this checkout.
local PLAIN = "setpriv --bounding-set=-all --inh-caps=-all " .. ALL

describe("beside a target", function()
  local folder, path, victim, posts

  before_each(function()
    folder = files.folder()
    path, victim, posts = folder .. "/x.mp4", folder .. "/victim", 0
    files.write(victim, "precious")
    files.write(folder .. "/script.lua", SCRIPT)
  end)
  after_each(function()
    files.remove(folder)
  end)

  local function sh(command, values)
    values = values or {}
    values.victim, values.path, values.folder = victim, path, folder
    values.lua, values.script = interpreter, folder .. "/script.lua"
    return shell.read(shell.fill(command, values))
  end

  local function client(ledger)
    return assert(starvideos.new { api_key = "key", sleep = function() end,
      ledger = ledger,
      transport = function(req)
        posts = posts + (req.method == "POST" and 1 or 0)
        return req.method == "POST" and { status = 200, headers = {},
          body = json.encode { id = "v", status = "completed",
            video_url = "https://media.example/1.mp4" } }
          or { status = 200, headers = {}, body = FILM }
      end })
  end

  local PARAMS = { model = "videos", prompt = "a", duration = 5 }

  local function generate(options)
    options = options or {}
    options.path = options.path or path
    return client(options.ledger):generate(PARAMS, { path = options.path,
      overwrite = options.overwrite })
  end

  local function is_made()
    local _, file = assert(generate())
    assert.equal(#FILM, file.bytes)
    assert.equal("precious", files.read(victim))
    assert.equal("regular file", sh "stat -c %F @path@")
    assert.equal(1, posts)
    for _, ending in ipairs(ENDINGS) do
      assert.is_nil(files.read(path .. ending))
    end
  end

  for _, ending in ipairs(ENDINGS) do
    it("a link at " .. ending .. " is not followed", function()
      sh("ln -s @victim@ @name@", { name = path .. ending })
      is_made()
    end)

    it("a link to nothing at " .. ending .. " makes nothing there", function()
      sh("ln -s @folder@/nothing @name@", { name = path .. ending })
      is_made()
      assert.is_nil(files.read(folder .. "/nothing"))
    end)

    it("another name of a file at " .. ending .. " is not written", function()
      sh("ln @victim@ @name@", { name = path .. ending })
      is_made()
    end)

    it("a pipe at " .. ending .. " is refused before the order", function()
      sh("mkfifo @name@", { name = path .. ending })
      local _, err = generate()
      assert.equal("io", err.kind)
      assert.equal(0, posts)
    end)
  end

  it("a folder that is a link is where its files go", function()
    sh "mkdir @folder@/deep && ln -s deep @folder@/link"
    path = folder .. "/link/x.mp4"
    is_made()
    assert.truthy(files.read(folder .. "/deep/x.mp4"))
  end)

  it("a link is never locked, read, emptied or continued by a job", function()
    local name = path .. ".part"
    local function plant()
      sh("rm -f @name@; ln -s @victim@ @name@", { name = name })
    end
    plant()
    curl.disk("unlock", assert(curl.disk("lock", name)))
    for _, mode in ipairs { "wb", "ab", "r+b" } do
      plant()
      curl.disk("write", name, "x", mode)
    end
    plant()
    local _, failure = curl.disk("commit", name, path, 8, true)
    assert.equal("busy", failure.reason)
    assert.is_nil((curl.disk("discard", name)))
    assert.equal("precious", files.read(victim))
    assert.is_nil(files.read(path))
  end)

  for _, ending in ipairs { ".part", ".part.json", ".lock", ".PART" } do
    local name = "a target that ends in " .. ending
    if ending ~= ".PART" or core.folded "A" == "a" then
      it(name .. " is refused before the order", function()
        local _, err = generate { path = path .. ending }
        assert.same({ "io", "blocked", 0 }, { err.kind, err.target, posts })
        assert.truthy(err.message:find("nothing was ordered", 1, true))
        sh("touch @name@ && ln -s @name@ @folder@/y.mp4",
          { name = path .. ending })
        _, err = generate { path = folder .. "/y.mp4", overwrite = true }
        assert.same({ "io", "blocked", 0 }, { err.kind, err.target, posts })
      end)
    end
  end

  it("a video that is to take the place of the ledger is refused", function()
    local ledger = folder .. "/l.db"
    local one = client(ledger)
    assert(one:create(PARAMS, { key = "k" }))
    sh "ln -s l.db @folder@/y.mp4"
    for _, name in ipairs { "/l.db", "/l.db-wal", "/l.db-shm", "/l.db-journal",
      "/y.mp4" } do
      local _, err = generate { path = folder .. name, overwrite = true,
        ledger = ledger }
      assert.same({ "io", "blocked" }, { err.kind, err.target })
      assert.truthy(err.message:find("is the ledger; choose another name; nothing"
        .. " was ordered", 1, true), err.message)
      local task
      task, err = one:create(PARAMS, { path = folder .. name })
      assert.same({ nil, "blocked" }, { task, err.target })
      local file
      file, err = one:download({ id = "v", status = "completed",
        video_url = "https://media.example/1.mp4" }, folder .. name,
        { overwrite = true })
      assert.same({ nil, "blocked" }, { file, err.target })
    end
    assert.equal(1, posts)
    assert.equal(1, #assert(one:pending()))
  end)

  describe("a file of another account", function()
    local function plant(mode, ending, text)
      files.write(path .. ending, text or "theirs")
      sh("chown 65534 @name@ && chmod @mode@ @folder@ && chown 65534 @folder@",
        { name = path .. ending, mode = mode })
    end

    local function by_root(body)
      return function()
        if shell.read "id -u" ~= "0" then
          return pending "only root may give a file to another account"
        elseif not shell.run "setpriv --bounding-set=-all true 2>/dev/null" then
          return pending "there is no setpriv that may give up rights"
        end
        body()
      end
    end

    for _, ending in ipairs(ENDINGS) do
      it("is removed where that may be: " .. ending, by_root(function()
        plant("777", ending)
        assert.equal(("1\t%d\tsaved"):format(#FILM), sh(PLAIN))
        assert.equal("0", sh "stat -c %u @path@")
      end))

      it("keeps an order from being sent where not: " .. ending,
        by_root(function()
          plant("1777", ending)
          local said = sh(PLAIN)
          assert.equal("0\tblocked", said:match "^%d\t%a+", said)
          assert.truthy(said:find("link or another account's", 1, true), said)
          assert.truthy(said:find(path .. ending, 1, true), said)
          assert.equal("theirs", files.read(path .. ending))
        end))
    end

    it("is left to who has it locked", by_root(function()
      plant("777", ".lock", "")
      local lock = assert(io.popen(shell.fill("exec flock @name@ cat",
        { name = path .. ".lock" }), "w"))
      repeat
        local said = shell.run(shell.fill("flock -n @name@ true",
          { name = path .. ".lock" }))
      until not said
      local said = sh(PLAIN)
      lock:close()
      assert.truthy(said:find("^0\tbusy\t.*nothing was ordered"), said)
      assert.equal("", files.read(path .. ".lock"))
    end))

    it("that may not be read keeps an order from being sent", by_root(function()
      plant("777", ".lock", "")
      sh("chmod 600 @name@", { name = path .. ".lock" })
      assert.truthy(sh(PLAIN):find "^0\tblocked")
      assert.equal("", files.read(path .. ".lock"))
    end))
  end)
end)
