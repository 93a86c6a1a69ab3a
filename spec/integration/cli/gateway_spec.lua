-- The command `gateway` as people run it: what it starts, what ends it, and why it
-- does not start.

local books = require "spec.fixtures.books"
local commands = require "spec.fixtures.gateway_command"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local files = require "spec.fixtures.files"
local in_process = require "spec.fixtures.command"
local json = require "starvideos.base.json"
local nginx = require "starvideos.sandbox.nginx"
local postgres = require "spec.fixtures.postgres"
local servers = require "spec.fixtures.nginx"
local shell = require "starvideos.nginx.shell"

local JSON = "-H 'Content-Type: application/json' -d "

describe("the command gateway", function()
  local provider, command

  setup(function()
    provider = assert(nginx.start { key = "key-of-the-gateway", seconds = 0.5,
      queued_seconds = 0.2, drawn = false })
  end)

  teardown(function()
    provider:stop()
  end)

  before_each(function()
    command = commands.new(provider)
  end)

  after_each(function()
    command:stop()
  end)

  local function order(prompt, more)
    local body, status = command:ask("/v1/videos", (more or "") .. " " .. JSON
      .. shell.quote(json.encode { model = "videos", prompt = prompt,
        seconds = "4" }))
    assert.equal("200", status, body)
    return json.decode(body).id
  end

  local function await(is_done)
    for _ = 1, 200 do
      if is_done() then
        return true
      end
      core.sleep(0.05)
    end
  end

  local function becomes(id, wanted)
    return await(function()
      local body = command:ask("/v1/videos/" .. id)
      return json.decode(body).status == wanted
    end)
  end

  local function arrived(text)
    local posts = 0
    for _, task in ipairs(books.of(provider).tasks) do
      posts = posts + (task.prompt:find(text, 1, true) and task.posts or 0)
    end
    return posts
  end

  it("says in one line where it listens, and that it does for this machine alone",
    function()
      command:start():ready()
      local line = command:read "out"
      assert.truthy(line:find(command.address .. "/", 1, true), line)
      assert.truthy(line:find("only this machine", 1, true), line)
      assert.equal(1, select(2, line:gsub("\n", "")))
      assert.equal("", command:read "err")
    end)

  it("orders, saves and serves a video, and leaves the key nowhere", function()
    command:start():ready()
    local id = order "a kite"
    assert.is_true(becomes(id, "completed"))
    local video, status = command:ask("/v1/videos/" .. id .. "/content")
    assert.equal("200", status)
    assert.equal("ftyp", video:sub(5, 8))
    assert.equal("1", shell.read(shell.fill("grep -rq key-of-the-gateway"
      .. " @folder@; echo $?", command)))
  end)

  it("keeps its orders in PostgreSQL where it is told to", function()
    local server = postgres.start()
    finally(function() server:stop() end)
    command:start("--ledger " .. shell.quote(server.url)):ready()
    assert.is_true(becomes(order "elsewhere", "completed"))
    assert.equal("", command:read "starvideos-gateway/ledger.db")
    command:stop()
  end)

  it("writes what only its account may read", function()
    command:start():ready()
    assert.is_true(becomes(order "modes", "completed"))
    local function modes(what)
      return shell.read(shell.fill("cd @folder@/starvideos-gateway && find . "
        .. what .. " -printf '%m\n' | sort -u", command))
    end
    assert.equal("750", modes "-maxdepth 0")
    assert.equal("640", modes "-name '*.mp4'")
    assert.equal("600", modes "-name secret -o -name settings.json")
    assert.equal("600", modes "-name 'ledger.db*'")
    assert.equal("", modes "-perm /007")
  end)

  for _, signal in ipairs { "INT", "TERM" } do
    it("stops at SIG" .. signal .. ", and goes on where it was", function()
      command:start():ready()
      local id = order("[scenario:takes=2] stop " .. signal)
      assert.is_true(becomes(id, "in_progress"))
      local secret = command:read "starvideos-gateway/secret"
      command:signal(signal)
      assert.equal(0, command:ended())
      assert.is_true(command:is_gone())
      command:start():ready()
      assert.is_true(becomes(id, "completed"))
      assert.equal(secret, command:read "starvideos-gateway/secret")
      assert.equal(1, arrived("stop " .. signal))
    end)
  end

  it("waits at Ctrl-C for the answer to an order that was sent", function()
    command:start():ready()
    local id = order "[scenario:create_slow=3] patience"
    assert.is_true(await(function() return arrived "patience" == 1 end))
    command:signal "INT"
    assert.equal(0, command:ended())
    assert.truthy(command:read "err":find("two minutes at most", 1, true))
    command:start():ready()
    assert.is_true(becomes(id, "completed"))
    assert.equal(1, arrived "patience")
  end)

  it("ends at a second Ctrl-C at once", function()
    command:start():ready()
    order "[scenario:create_slow=60] haste"
    assert.is_true(await(function() return arrived "haste" == 1 end))
    command:signal "INT"
    assert.is_true(await(function()
      return command:read "err":find("stopping", 1, true)
    end))
    core.sleep(1)
    assert.equal("", command:read "code")
    command:signal "INT"
    assert.equal(130, command:ended())
    assert.is_true(command:is_gone())
  end)

  it("takes nginx along when it is killed, and its orders lose nothing", function()
    command:start():ready()
    local id = order "[scenario:create_slow=2] killed"
    assert.is_true(await(function() return arrived "killed" == 1 end))
    command:signal "KILL"
    assert.equal(137, command:ended())
    assert.is_true(command:is_gone())
    command:start():ready()
    assert.is_true(becomes(id, "completed"))
    assert.equal(1, arrived "killed")
  end)

  it("takes along an nginx that does not hear signals yet", function()
    file.write(command.folder .. "/nginx", shell.fill([[#!/bin/sh
      : >@folder@/begun
      until [ -e @folder@/go ]; do sleep 0.02; done
      PATH="${PATH#*:}" exec nginx "$@"]], command))
    shell.run(shell.fill("chmod +x @folder@/nginx", command))
    command.program = shell.fill('env PATH=@folder@:"$PATH" ', command)
      .. command.program
    command:start()
    assert.is_true(await(function()
      return file.exists(command.folder .. "/begun")
    end))
    command:signal "KILL"
    assert.equal(137, command:ended())
    file.write(command.folder .. "/go", "")
    assert.is_true(command:is_gone())
  end)

  it("stops when its terminal is closed, rather than read its files again",
    function()
      file.write(command.folder .. "/terminal",
        'exec script -qfec "starvideos $*" /dev/null')
      command.program = "sh ./terminal"
      command:start():ready()
      command:signal "KILL" -- the other end of the terminal
      assert.is_true(command:is_gone())
    end)

  it("says that nginx has ended, and takes its workers along", function()
    command:start():ready()
    shell.run("kill -KILL " .. command:nginx())
    assert.equal(8, command:ended())
    assert.truthy(command:read "err":find("nginx has ended with exit code 137",
      1, true))
    assert.is_true(command:is_gone())
  end)

  local function write_callers(...)
    local list = {}
    for index, name in ipairs { ... } do
      list[index] = { name = name, token_sha256 = curl.sha256("token-" .. name) }
    end
    file.write(command.folder .. "/callers.json", json.encode { callers = list })
  end

  local function status_of(name)
    return select(2, command:ask("/v1/videos",
      ("-H 'Authorization: Bearer token-%s'"):format(name)))
  end

  it("passes SIGHUP on: callers are read again, a wrong file changes nothing",
    function()
      write_callers "ann"
      command:start "--callers callers.json":ready()
      assert.is_nil(command:read "out":find("only this machine", 1, true))
      assert.equal("200", status_of "ann")
      assert.equal("401", status_of "bob")
      write_callers("ann", "bob")
      command:signal "HUP"
      assert.is_true(await(function() return status_of "bob" == "200" end))
      file.write(command.folder .. "/callers.json", '{"callers": [7]}')
      command:signal "HUP"
      assert.is_true(await(function()
        return command:read "err":find("callers[1] is not an object", 1, true)
      end), command:read "err")
      assert.equal("200", status_of "bob")
    end)

  it("says that callers need a name for it, where it listens everywhere",
    function()
      write_callers "ann"
      command:start "--listen 0.0.0.0 --callers callers.json":ready()
      assert.truthy(command:read "err":find("--host NAME", 1, true))
      assert.equal("200", status_of "ann")
      command:signal "INT"
      assert.equal(0, command:ended())
      command:start("--listen 0.0.0.0 --callers callers.json"
        .. " --host videos.example"):ready()
      assert.equal("", command:read "err")
      assert.equal("200", select(2, command:ask("/v1/videos",
        "-H 'Host: videos.example' -H 'Authorization: Bearer token-ann'")))
    end)

  it("shows its address as JSON", function()
    command:start "--json":ready()
    local object = json.decode(command:read "out")
    assert.equal(command.address, object.url)
    assert.equal(command:nginx(), object.pid)
    assert.equal(command.folder .. "/starvideos-gateway", object.folder)
  end)

  it("starts though the provider cannot be reached, and says so", function()
    command.url = "http://127.0.0.1:1"
    command:start():ready()
    assert.truthy(command:read "err":find("did not say whether it takes the key",
      1, true))
  end)

  it("starts though the provider knows the task that it asks for", function()
    local server = servers.start { body = [[location / {
      default_type application/json;
      return 200 '{"id":"video_1","status":"queued"}';
    }]] }
    command.url = server.url
    command:start():ready()
    assert.equal("", command:read "err")
    server:stop()
  end)

  it("names the port that it listens on, whatever a --host names", function()
    command:start("--json --host localhost:9"):ready()
    local object = json.decode(command:read "out")
    assert.equal(command.address, object.url)
    assert.is_nil(object.url:find(":9$"))
    assert.equal("200", select(2, command:ask("/v1/videos")))
  end)

  local function fails(code, sentence)
    assert.equal(code, command:ended(), command:read "err")
    assert.equal("", command:read "out")
    assert.truthy(command:read "err":find(sentence, 1, true), command:read "err")
    assert.truthy(command:read "err":find("nothing was started", 1, true))
  end

  it("does not start where the provider refuses the key", function()
    command.key = "another-key"
    command:start()
    fails(3, "refused the API key")
    assert.is_nil(command:read "err":find("another-key", 1, true))
  end)

  it("does not start without a key", function()
    command.key = ""
    command:start()
    fails(2, "set STARVIDEOS_API_KEY")
  end)

  it("takes the key from a file", function()
    file.write(command.folder .. "/key", provider.key .. "\n")
    command.key = ""
    command:start "--api-key-file key":ready()
    assert.is_true(becomes(order "by a file", "completed"))
  end)

  it("does not start where its port is taken", function()
    command:start("--port " .. provider.port)
    fails(8, "is in use by another program: choose another port with --port")
  end)

  it("does not start in the folder of another, which goes on", function()
    command:start():ready()
    local other = commands.new(provider)
    other:start(shell.fill("--folder @folder@/starvideos-gateway", command))
    assert.equal(8, other:ended())
    assert.truthy(other:read "err":find("another gateway runs", 1, true))
    other:stop()
    assert.equal("200", select(2, command:ask "/v1/videos"))
    command:signal "HUP"
    assert.is_true(await(function()
      return command:read "err":find("were read again", 1, true)
    end), command:read "err")
  end)

  it("does not start where its folder cannot be made", function()
    command:start "--folder /dev/null/x"
    fails(8, "the folder /dev/null/x cannot be made")
  end)

  it("does not start where its ledger cannot be opened", function()
    file.write(command.folder .. "/no-ledger.db", ("no database "):rep(100))
    command:start "--ledger no-ledger.db"
    fails(8, "no-ledger.db")
  end)

  it("does not start with a certificate that is none", function()
    file.write(command.folder .. "/x.pem", "no certificate")
    command:start "--tls-cert x.pem --tls-key x.pem"
    fails(8, "--tls-cert cannot be used")
  end)

  it("does not start with the key of another certificate", function()
    for _, name in ipairs { "a", "b" } do
      assert(nginx.certificate(command.folder .. "/" .. name))
    end
    command:start "--tls-cert a/server.pem --tls-key b/server.key"
    fails(8, "--tls-key is not the key of --tls-cert")
  end)

  if not rawget(_G, "jit") then
    it("says what to do where nothing is built for nginx's Lua", function()
      assert(shell.run(shell.fill("mkdir -p @to@/lua5.4 && cp -r @from@"
        .. " @to@/lua5.4", { to = command.folder, from = (package.searchpath(
          "starvideos.core", package.cpath):gsub("/core%.so$", "")) })))
      command.program = shell.fill("env LUA_CPATH=@path@ ", { path =
        command.folder .. "/lua5.4/?.so;;" }) .. command.program
      command:start()
      fails(2, "make LUA=luajit")
    end)
  end
end)

describe("what the command gateway prints", function()
  for what, words in pairs {
    ["a folder with a blank"] = { "--folder", "/srv/a b" },
    ["a folder with a specifier"] = { "--folder", "/srv/%H" },
    ["the folder of a ledger with a blank"] = { "--folder", "/srv/a", "--ledger",
      "/srv/a b/ledger.db" },
  } do
    it("is no unit that would name " .. what .. " otherwise", function()
      local folder = files.folder()
      local code, _, err = in_process.run { "gateway", "--print-config",
        folder .. "/etc", (table.unpack or unpack)(words) }
      assert.equal(2, code)
      assert.truthy(err:find("systemd's unit cannot name the path /srv/", 1, true),
        err)
      assert.is_nil(files.read(folder .. "/etc/nginx.conf"))
      files.remove(folder)
    end)
  end
end)
