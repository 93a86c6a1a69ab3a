-- The sandbox on real sockets: what only nginx, ffmpeg and processes can show.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local json = require "starvideos.base.json"
local launcher = require "starvideos.nginx.launcher"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local function exchange(server, req)
  local engine = curl.network { inline = true, ca_file = server.ca_file }
  req.method = req.method or "GET"
  req.timeout = req.timeout or 20
  local transfer = assert(engine:submit(req))
  while not transfer:done() do
    engine:step(1)
  end
  local response, failure = transfer:result()
  engine:close()
  return response, failure
end

local function create(server, prompt, more, req)
  local params = { model = "videos", prompt = prompt, duration = 4 }
  for name, value in pairs(more or {}) do
    params[name] = value
  end
  req = req or {}
  req.method, req.fresh = "POST", true
  req.url = server.base_url .. "/v1/videos/videos"
  req.headers = { Authorization = "Bearer " .. server.key }
  req.body = json.encode(params)
  return exchange(server, req)
end

local function made(server, ...)
  return assert(json.decode(assert(create(server, ...)).body).id)
end

local function query(server, id)
  return json.decode(assert(exchange(server, {
    url = server.base_url .. "/v1/result/" .. id,
    headers = { Authorization = "Bearer " .. server.key } })).body)
end

local function own(server, path, method, body)
  return json.decode(assert(exchange(server, { method = method, body = body,
    url = server.base_url:gsub("/kyyReactApiServer$", "") .. path })).body)
end

local function until_true(seconds, condition)
  local deadline = core.now() + seconds
  while core.now() < deadline do
    local value = condition()
    if value then
      return value
    end
    core.sleep(0.05)
  end
  return condition()
end

local function completed(server, id)
  return assert(until_true(30, function()
    local task = query(server, id)
    return task.status == "completed" and task
  end), "the task was not completed")
end

local function exists(path)
  return shell.run(shell.fill("test -e @path@", { path = path }))
end

-- The processes whose command line names a text; read here, for a program
-- that searches for it has it on its own.
local function processes(text)
  local found = {}
  for pid in shell.read("ls /proc"):gmatch "%d+" do
    local file = io.open("/proc/" .. pid .. "/cmdline", "rb")
    local line = file and file:read "*a" or ""
    if file then
      file:close()
    end
    if line:find(text, 1, true) then
      found[#found + 1] = pid
    end
  end
  return found
end

local function is_running(pid)
  return shell.run(("kill -0 -%d 2>/dev/null"):format(pid))
end

local function new_directory()
  return shell.read [[d=$(mktemp -d "${TMPDIR:-/tmp}/starvideos-spec.XXXXXX")
    chmod a+x "$d"; echo "$d"]]
end

describe("a drawn clip", function()
  local server, directory

  setup(function()
    server = assert(nginx.start{ seconds = 0.2, queued_seconds = 0.1,
      drawn = 1000 })
    directory = new_directory()
  end)

  teardown(function()
    server:stop()
    shell.run("rm -rf " .. shell.quote(directory))
  end)

  local function probe(path)
    return shell.read(shell.fill("ffprobe -v error -select_streams v:0 "
      .. "-show_entries stream=codec_name,width,height,pix_fmt"
      .. ":format=duration -of csv=p=0 @path@", { path = path }))
  end

  local function drawn(prompt, more)
    local task = completed(server, made(server, prompt, more))
    local path = directory .. "/" .. task.id .. ".mp4"
    assert(exchange(server, { url = task.video_url,
      sink = { path = path, offset = 0 } }))
    return probe(path), task, path
  end

  for ratio, size in pairs{ ["21:9"] = "1680,720", ["16:9"] = "1280,720",
    ["4:3"] = "960,720", ["1:1"] = "720,720", ["3:4"] = "720,960",
    ["9:16"] = "720,1280" } do
    it("has the requested ratio and length: " .. ratio,
      function()
        local seconds = ratio == "9:16" and 7 or 4
        local found, task = drawn("a kite",
          { ratio = ratio, duration = seconds })
        assert.equal(("h264,%s,yuv420p\n%d.000000"):format(size, seconds),
          found)
        assert.equal(seconds, task.actualDuration)
      end)
  end

  it("takes any prompt as text, and only as text", function()
    local trap = directory .. "/trap"
    for _, prompt in ipairs{
      "'; touch " .. trap .. "; echo '", "$(touch " .. trap .. ")",
      "a:b,c;d[e]=f\\'g%{pts}%{metadata:x}\\n", "赛博朋克城市夜景,镜头缓慢推进",
      "line\nbreak\r\ttab\0nul", "%", "\\", ("生"):rep(5000),
    } do
      local found, task = drawn(prompt)
      assert.equal("h264,1280,720,yuv420p\n4.000000", found)
      assert.equal("completed", task.status)
    end
    assert.is_false(exists(trap))
  end)

  it("shows the prompt", function()
    local function picture(prompt)
      local _, _, path = drawn(prompt)
      return shell.read(shell.fill("ffmpeg -nostdin -v error -i @path@ "
        .. "-frames:v 1 -f rawvideo - | cksum", { path = path }))
    end
    assert.not_equal(picture "a kite", picture "a kitten")
  end)

  it("does not delay a create", function()
    local began = core.now()
    for _ = 1, 4 do
      made(server, "a kite", { duration = 15 })
    end
    assert.is_true(core.now() - began < 1)
  end)

  it("is for the first tasks of a minute alone", function()
    local other = assert(nginx.start{ seconds = 0.2, queued_seconds = 0, drawn = 1 })
    local ids, seconds = {}, {}
    for index = 1, 3 do
      ids[index] = made(other, "a kite")
    end
    for index, id in ipairs(ids) do
      seconds[index] = completed(other, id).actualDuration
    end
    other:stop()
    assert.equal(4, seconds[1])
    -- The next minute may begin between two of them.
    assert.is_true(seconds[2] == 3 or seconds[3] == 3)
  end)

  it("leaves nothing when the server stops in the middle", function()
    local other = assert(nginx.start{})
    made(other, "a kite", { duration = 15 })
    core.sleep(0.3)
    assert.is_true(other:stop())
    assert.is_false(exists(other.prefix))
    assert.same({}, processes(other.prefix))
  end)
end)

for _, tls in ipairs{ false, true } do
  describe(tls and "the sandbox over TLS" or "the sandbox", function()
    local server

    setup(function()
      server = assert(nginx.start{ tls = tls, seconds = 0.1,
        queued_seconds = 0, drawn = false })
    end)

    teardown(function()
      server:stop()
    end)

    before_each(function()
      own(server, "/__sandbox/reset", "POST")
    end)

    it("speaks HTTP/" .. (tls and "2" or "1.1"), function()
      local response = assert(exchange(server, { url = server.base_url }))
      assert.equal(tls and "2" or "1.1", response.http_version)
      assert.equal("No handler found for GET /kyyReactApiServer",
        json.decode(response.body).msg)
    end)

    it("shares its state between its workers", function()
      local ids = {}
      for index = 1, 24 do
        ids[index] = made(server, "kite " .. index)
      end
      for _, id in ipairs(ids) do
        assert.equal(id, query(server, id).id)
      end
      local books = own(server, "/__sandbox/tasks")
      assert.equal(24, books.billed)
      assert.equal(24, books.queries)
      local connections = {}
      for _, post in ipairs(books.creates) do
        connections[post.connection.number] = true
        assert.equal("HTTP/1.1", post.protocol)
        assert.equal(1, post.connection.requests)
      end
      local _, first = next(ids)
      assert.is_string(first)
      assert.is_not_nil(next(connections))
    end)

    it("serves the bundled clip, and says how long that is", function()
      local task = completed(server, made(server, "a kite"))
      assert.equal(3, task.actualDuration)
      local response = assert(exchange(server, { url = task.video_url }))
      assert.equal("video/mp4", response.headers["content-type"])
      assert.equal("ftyp", response.body:sub(5, 8))
      local part = assert(exchange(server, { url = task.video_url,
        headers = { Range = "bytes=4-7" } }))
      assert.equal(206, part.status)
      assert.equal("ftyp", part.body)
    end)

    it("answers no page of another name that leads here", function()
      for host, expected in pairs { ["evil.example"] = 403, ["evil.example:80"] = 403,
        ["127.0.0.1.evil.example"] = 403, ["10.0.0.1"] = 403,
        localhost = 200, ["LOCALHOST:9"] = 200, ["[::1]:80"] = 200 } do
        for _, path in ipairs { "/__sandbox/tasks", "/kyyReactApiServer/v1/result/x" } do
          local response = assert(exchange(server, { headers = { Host = host },
            url = server.base_url:match "^(%w+://[^/]+)" .. path }))
          assert.equal(expected, response.status, host .. path .. response.body)
        end
      end
      assert.equal(403, assert(exchange(server, { url = server.media_url .. "/x",
        headers = { Host = "evil.example" } })).status)
    end)

    it("refuses the key at the media origin, and logs it", function()
      local task = completed(server, made(server, "a kite"))
      local response = assert(exchange(server, { url = task.video_url,
        headers = { Authorization = "Bearer " .. server.key } }))
      assert.equal(400, response.status)
      assert.equal(1, own(server, "/__sandbox/tasks").media
        .with_authorization)
    end)

    it("refuses 10 MB", function()
      local response = assert(create(server, ("x"):rep(10485760)))
      assert.equal(413, response.status)
      assert.equal(0, own(server, "/__sandbox/tasks").billed)
    end)

    for name, reason in pairs{ create_reset = "reset", create_hang =
      "timeout", create_truncated = "reset", create_huge = "too_large" } do
      it(("ends %s as a client sees it: %s"):format(name, reason), function()
        local response, failure = create(server, "[scenario:" .. name .. "]",
          nil, { timeout = 1 })
        assert.is_nil(response)
        assert.equal(reason, failure.reason)
        assert.is_true(failure.sent)
        local books = own(server, "/__sandbox/tasks")
        assert.equal(1, books.posts)
        assert.equal(1, books.billed)
      end)
    end

    it("sends the first half of a file that is cut", function()
      local task = completed(server, made(server,
        "[scenario:media_truncated]"))
      local directory = new_directory()
      local path = directory .. "/clip.mp4"
      local response, failure = exchange(server, { url = task.video_url,
        sink = { path = path, offset = 0 } })
      assert.is_nil(response)
      assert.equal("reset", failure.reason)
      local size = tonumber((shell.read(shell.fill("wc -c <@path@",
        { path = path }))))
      local whole = assert(exchange(server, { url = task.video_url }))
      assert.equal(math.floor(#whole.body / 2), size)
      shell.run("rm -rf " .. shell.quote(directory))
    end)

    it("delays an answer", function()
      local began = core.now()
      made(server, "[scenario:create_slow=0.5]")
      assert.is_near(0.6, core.now() - began, 0.15)
    end)

    it("serves others while one request hangs", function()
      local engine = curl.network { inline = true, ca_file = server.ca_file }
      for _ = 1, 8 do
        assert(engine:submit{ method = "POST", body = json.encode{
          model = "videos", prompt = "[scenario:create_hang]",
          duration = 4 }, url = server.base_url .. "/v1/videos/videos",
          headers = { Authorization = "Bearer " .. server.key } })
      end
      engine:step(0.2)
      for _ = 1, 8 do
        made(server, "a kite")
      end
      engine:close()
    end)

    it("lists and sets scenarios", function()
      assert.is_true(#own(server, "/__sandbox/scenarios").scenarios > 80)
      own(server, "/__sandbox/scenario", "POST",
        '{"scenario":"create_503"}')
      for _ = 1, 6 do
        assert.equal(503, assert(create(server, "a kite")).status)
      end
    end)
  end)
end

describe("limits that all workers of the sandbox share", function()
  local server

  -- Requests that arrive side by side, each on a connection of its own.
  local function at_once(count, request_of)
    local engine = curl.network { inline = true }
    local transfers, statuses = {}, {}
    for index = 1, count do
      local req = request_of(index)
      req.fresh, req.timeout = true, 20
      req.headers = { Authorization = "Bearer " .. server.key }
      transfers[index] = assert(engine:submit(req))
    end
    for _, transfer in ipairs(transfers) do
      while not transfer:done() do
        engine:step(1)
      end
      local status = assert(transfer:result()).status
      statuses[status] = (statuses[status] or 0) + 1
    end
    engine:close()
    return statuses
  end

  local function creates(count)
    return at_once(count, function(index)
      return { method = "POST", url = server.base_url .. "/v1/videos/videos",
        body = json.encode { model = "videos", duration = 4,
          prompt = "kite " .. index } }
    end)
  end

  local function record()
    return own(server, "/__sandbox/accounts").accounts[1]
  end

  setup(function()
    server = assert(nginx.start { seconds = 1000, drawn = false, workers = 4,
      open = 7, price = 0.1, poll_interval = 100 })
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    own(server, "/__sandbox/reset", "POST")
  end)

  it("let as many tasks be open as they say", function()
    assert.same({ [200] = 7, [429] = 53 }, creates(60))
    local books = record()
    assert.equal(7, books.most_open)
    assert.equal(53, books.broken.open)
    assert.equal(0.7, books.spent)
  end)

  it("let as many creates and polls pass as they say", function()
    own(server, "/__sandbox/limits", "POST", json.encode { open = false,
      creates_per_minute = 11, polls_per_second = 5 })
    assert.same({ [200] = 11, [429] = 29 }, creates(40))
    local id = own(server, "/__sandbox/tasks").tasks[1].id
    at_once(30, function()
      return { url = server.base_url .. "/v1/result/" .. id }
    end)
    local books = record()
    assert.equal(11, books.most_creates)
    assert.equal(5, books.most_polls)
    assert.equal(30, books.polls)
    assert.is_true(books.broken.polls >= 20)
    assert.equal(30 - books.broken.polls - 1, books.duplicate_polls)
  end)
end)

describe("the server", function()
  local server

  after_each(function()
    if server then
      server:stop()
      server = nil
    end
  end)

  it("runs as an unprivileged account", function()
    server = assert(nginx.start{ drawn = false })
    local pids = processes(server.prefix)
    assert.is_true(#pids > 0)
    for _, pid in ipairs(pids) do
      assert.not_equal("0", shell.read("stat -c %u /proc/" .. pid))
    end
  end)

  it("has ended when stop returns, and its directory is removed", function()
    server = assert(nginx.start{ tls = true, drawn = false })
    assert.is_true(exists(server.ca_file))
    assert.is_true(server:stop())
    assert.is_false(exists(server.prefix))
    local response, failure = exchange(server, { url = server.base_url })
    assert.is_nil(response)
    assert.equal("connect", failure.reason)
    assert.is_true(server:stop())
  end)

  it("keeps a directory that the caller named", function()
    local directory = new_directory()
    local prefix = directory .. "/it's here"
    server = assert(nginx.start{ prefix = prefix, drawn = false })
    assert.equal("queued", query(server, made(server, "a kite")).status)
    assert.is_true(server:stop())
    assert.is_true(exists(prefix .. "/logs/error.log"))
    shell.run("rm -rf " .. shell.quote(directory))
  end)

  it("says that the port is in use, and leaves nothing", function()
    server = assert(nginx.start{ drawn = false })
    local directory = new_directory()
    local other, why = nginx.start{ port = server.port,
      prefix = directory .. "/other" }
    assert.is_nil(other)
    assert.truthy(why:find("in use", 1, true), why)
    shell.run("rm -rf " .. shell.quote(directory))
  end)

  it("lets no other run in its directory, and goes on", function()
    server = assert(nginx.start{ drawn = false })
    local tries = 0
    local other, why = launcher.start { prefix = server.prefix, configure = function()
      tries = tries + 1
      return true
    end }
    assert.is_nil(other)
    assert.truthy(why:find("runs in the folder " .. server.prefix, 1, true), why)
    assert.equal(1, tries)
    assert.equal("queued", query(server, made(server, "a kite")).status)
  end)

  it("names the account that cannot write to the directory", function()
    if shell.read "id -u" ~= "0" then
      return
    end
    local directory = new_directory()
    shell.run(shell.fill("chmod 700 @d@", { d = directory }))
    local other, why = nginx.start{ prefix = directory .. "/closed" }
    shell.run("rm -rf " .. shell.quote(directory))
    assert.is_nil(other)
    assert.truthy(why:find("nobody cannot write to " .. directory, 1, true), why)
  end)

  it("looks for Lua modules in no folder that depends on where it runs", function()
    server = assert(nginx.start{ drawn = false })
    local paths = {}
    for kind, path in io.open(server.prefix .. "/nginx.conf"):read "*a":gmatch
      "lua_package_(%l+) \"([^\"]*)\"" do
      paths[#paths + 1] = kind
      for template in (path .. ";"):gmatch "([^;]*);" do
        assert.truthy(template:find "^/" or template:find "^%$prefix/", path)
      end
    end
    assert.same({ "path", "cpath" }, paths)
  end)

  describe("that root starts", function()
    local directory, victim

    before_each(function()
      directory = new_directory()
      victim = directory .. "/victim"
      shell.run(shell.fill("chmod 755 @d@; echo mine >@v@; mkdir @d@/prefix",
        { d = directory, v = victim }))
    end)

    after_each(function()
      shell.run("rm -rf " .. shell.quote(directory))
    end)

    for what, plant in pairs {
      ["a link for its configuration"] = "ln -s @v@ nginx.conf",
      ["a link for what it prints"] = "mkdir logs; ln -s @v@ logs/start.log",
      ["a link for its lock"] = "ln -s @v@ alive",
      ["a link for a copy"] = "mkdir lua; ln -s @v@ lua/starvideos",
      ["a folder of another account"] = "mkdir logs; chown nobody logs",
      ["a folder that all may write"] = "mkdir logs; chmod 777 logs",
    } do
      it("takes no directory with " .. what, function()
        if shell.read "id -u" ~= "0" then
          return
        end
        shell.run(shell.fill("cd @d@/prefix; " .. plant, { d = directory,
          v = victim }))
        local other, why = nginx.start{ prefix = directory .. "/prefix",
          drawn = false }
        assert.is_nil(other)
        assert.truthy(why:find("name a new directory", 1, true), why)
        assert.equal("mine root", shell.read(shell.fill(
          "cat @v@ | tr '\\n' ' '; stat -c %U @v@", { v = victim })))
      end)
    end

    it("opens nothing as root in a directory that it has handed over", function()
      if shell.read "id -u" ~= "0" then
        return
      end
      local prefix = directory .. "/prefix"
      local tries = 0
      -- As another program of its account that is quick enough.
      local function configure()
        tries = tries + 1
        shell.run(shell.fill("mkdir -p @p@/logs; for f in logs/start.log alive"
          .. " nginx.pid logs/error.log; do rm -f @p@/$f; ln -s @v@ @p@/$f; done;"
          .. " : >@p@/nginx.conf", { p = prefix, v = victim }))
        return true
      end
      assert.is_nil((launcher.start { prefix = prefix, attempts = 1,
        configure = configure }))
      assert.equal(1, tries)
      assert.equal("mine root", shell.read(shell.fill(
        "cat @v@ | tr '\\n' ' '; stat -c %U @v@", { v = victim })))
    end)
  end)

  for name, value in pairs { memory = "1m; } env X; http {", port = "80 ssl",
    media_port = "$p", workers = "1;", max_body = "1m\n" } do
    it("refuses an option that nginx would read as more: " .. name, function()
      local other, why = nginx.start { [name] = value }
      assert.is_nil(other)
      assert.truthy(why:find("the option " .. name, 1, true), why)
    end)
  end

  it("says that it may not write", function()
    local other, why = nginx.start{ prefix = "/proc/none" }
    assert.is_nil(other)
    assert.is_string(why)
  end)

  it("ends when the process that started it has ended",
    function()
      local parent = tonumber((shell.read "sleep 300 >/dev/null & echo $!"))
      server = assert(nginx.start{ parent = parent, drawn = false })
      core.sleep(1.2)
      assert.is_true(is_running(server.pid))
      shell.run("kill -9 " .. parent)
      assert.is_true(until_true(5, function()
        return not exists(server.prefix)
      end))
      assert.is_true(until_true(5, function()
        local _, failure = exchange(server, { url = server.base_url })
        return failure and failure.reason == "connect"
      end))
    end)

  it("raises for an option that makes no sense", function()
    assert.has_error(function() nginx.start{ scenario = "no_such" } end)
    assert.has_error(function() nginx.start{ edition = "no_such" } end)
  end)
end)
