-- The transport resty_http in a real nginx that has no libcurl: against the
-- provider's stand-in over TLS, and under the whole table of faults. With the
-- real lua-resty-http in the folder that STARVIDEOS_RESTY_HTTP names, or where
-- nginx would find it unaided; else with the stand-in of spec/fixtures/resty.

local books = require "spec.fixtures.books"
local answers = require "spec.faults.answers"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local faults = require "spec.faults.table"
local file = require "starvideos.nginx.file"
local files = require "spec.fixtures.files"
local host = require "spec.fixtures.nginx_host"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox.nginx"
local servers = require "spec.faults.server"
local shell = require "starvideos.nginx.shell"
local speech = require "spec.faults.http1"
local transfers = require "spec.fixtures.transfer"
local trials = require "spec.faults.trial"

local HTTP = [[
  lua_ssl_trusted_certificate ca.pem;
  lua_ssl_verify_depth 3;
  lua_ssl_protocols TLSv1.2 TLSv1.3;
  lua_socket_log_errors off;
  lua_shared_dict claims 1m;
  client_max_body_size 64m;
  client_body_buffer_size 64m;
]]

local LOCATIONS = [[
    location = /ping { return 200 "pong"; }
    location / { content_by_lua_block { require("app").answer() } }
]]

-- Where OpenResty, LuaRocks and Debian put modules of nginx's Lua.
local INSTALLED = package.searchpath("resty.http",
  "/usr/local/openresty/lualib/?.lua;/usr/local/openresty/site/lualib/?.lua;"
  .. "/usr/local/share/lua/5.1/?.lua;/usr/share/lua/5.1/?.lua")
local MISSING = [[
  init_by_lua_block {
    package.preload["resty.http"] = function()
      error("module 'resty.http' not found", 0)
    end
  }
]]

local engine

local function start_bare(ca_file, settings, http)
  return host.start { app = "spec/hosts/resty_http/app.lua",
    http = HTTP .. (http or ""), server = LOCATIONS, ca_file = ca_file,
    settings = settings, without_curl = true }
end

local function start(ca_file, settings)
  local nginx = start_bare(ca_file, settings)
  local library = os.getenv "STARVIDEOS_RESTY_HTTP"
    or not INSTALLED and "spec/fixtures/resty"
  if library then
    assert(shell.run(shell.fill("mkdir @to@ && cp @from@/*.lua @to@/",
      { from = library, to = nginx.prefix .. "/lua/resty" })))
  end
  return nginx
end

local function submit(nginx, action, arguments)
  return assert(engine:submit { method = "POST", timeout = 60,
    url = nginx.url .. "/" .. action, body = json.encode(arguments) })
end

local function run(nginx, action, arguments)
  local response = assert(transfers.finish(submit(nginx, action, arguments),
    engine))
  local result = assert(json.decode(response.body), response.body)
  assert.is_nil(result.raised)
  return result
end

setup(function()
  engine = curl.network { inline = true }
end)

teardown(function()
  engine:close()
end)

-- Large enough to come in many pieces: what players skip is added.
local MEGABYTES = 3

local function write_clip(path)
  local text = file.read "lua/starvideos/sandbox/clip.mp4"
    .. ("\0%c\0\0free"):format(16 * MEGABYTES)
    .. ("\0"):rep(MEGABYTES * 1048576 - 8)
  assert(file.write(path, text))
  return text
end

local ORDER = { model = "videos", prompt = "a kite", duration = 4 }

local function order_of(scenario)
  return { model = "videos", duration = 4,
    prompt = ("[scenario:%s]"):format(scenario) }
end

describe("the transport resty_http, against the provider,", function()
  local provider, nginx, folder, clip

  setup(function()
    folder = files.folder()
    clip = write_clip(folder .. "/clip.mp4")
    provider = assert(sandbox.start { tls = true, seconds = 0.4,
      queued_seconds = 0.1, clip = folder .. "/clip.mp4", drawn = false,
      key = "key-of-the-worker" })
    nginx = start(provider.ca_file, { key = provider.key,
      base_url = provider.base_url })
  end)

  -- Nothing that came to pass may have shown the key or a signed link.
  teardown(function()
    local log = file.read(nginx.prefix .. "/logs/error.log")
    nginx:stop()
    provider:stop()
    files.remove(folder)
    assert.is_nil(log:find(provider.key, 1, true))
    assert.is_nil(log:find("signature=", 1, true), log)
    assert.is_nil(log:find("[error]", 1, true), log)
  end)

  local function outside(method, path, body)
    return books.fetch(provider, method, path, body)
  end

  before_each(function()
    books.reset(provider)
  end)

  local function saved(name)
    return file.read(("%s/files/%s"):format(nginx.prefix, name))
  end

  local function url(path)
    return provider.base_url .. path
  end

  local function send(...)
    return run(nginx, "send", { ... })
  end

  -- The worker's connections to the provider.
  local function connections()
    local inodes, count = {}, 0
    for line in file.read "/proc/net/tcp":gmatch "[^\n]+" do
      local remote, state, inode = line:match
        "^%s*%d+: %S+ %x+:(%x+) (%x%x) .- %d+ +%d+ (%d+) "
      if remote and tonumber(remote, 16) == provider.port and state == "01" then
        inodes[inode] = true
      end
    end
    for inode in shell.read(("ls -l /proc/%d/fd"):format(nginx:workers()[1]))
      :gmatch "socket:%[(%d+)%]" do
      count = count + (inodes[inode] and 1 or 0)
    end
    return count
  end

  local function soon(condition)
    local give_up = core.now() + 5
    repeat
      if condition() then
        return true
      end
      engine:step(0.05)
    until core.now() > give_up
    return false
  end

  it("orders, looks, waits and saves", function()
    local result = run(nginx, "all", { order = ORDER, name = "all.mp4" })
    assert.equal(result.id, result.looked)
    assert.equal("completed", result.status)
    assert.equal(#clip, result.bytes)
    assert.equal(#clip, result.received)
    assert.is_true(saved "all.mp4" == clip)
  end)

  it("shows the key to the API alone", function()
    run(nginx, "all", { order = ORDER, name = "media.mp4" })
    local media = books.of(provider).media
    assert.is_true(media.requests >= 1)
    assert.equal(0, media.with_authorization)
  end)

  it("leaves libcurl out of the process, with a ledger too", function()
    run(nginx, "all", { order = ORDER, name = "maps.mp4" })
    local ids = run(nginx, "keyed", { order = ORDER, ledger = "ledger.db" })
    assert.equal(ids[1], ids[2])
    local worker = nginx:workers()[1]
    assert.equal("2", shell.read(("ls /proc/%d/task | wc -l"):format(worker)))
    local maps = file.read(("/proc/%d/maps"):format(worker))
    assert.truthy(maps:find("starvideos/core.so", 1, true))
    assert.is_nil(maps:find("libcurl", 1, true))
    assert.is_nil(maps:find("curl.so", 1, true))
  end)

  it("sends each order over a connection of its own", function()
    for index = 1, 3 do
      run(nginx, "all", { order = ORDER, name = index .. ".mp4" })
    end
    local seen = {}
    for index, create in ipairs(books.of(provider).creates) do
      assert.equal("HTTP/1.1", create.protocol)
      assert.equal(1, create.connection.requests)
      assert.is_nil(seen[create.connection.number])
      seen[create.connection.number] = index
    end
    assert.equal(3, #books.of(provider).creates)
  end)

  it("keeps connections for what may be repeated", function()
    local get = { url = url "/v1/result/x", timeout = 5 }
    local results = send(get, get)
    assert.is_true(results[2].response.reused)
    assert.equal("1.1", results[2].response.http_version)
    assert.is_true(results[2].response.elapsed > 0)
    assert.equal(1, results[2].answers)
  end)

  it("follows redirects of a download URL, and never with a key", function()
    local result = run(nginx, "download", { name = "redirected.mp4",
      order = order_of "media_redirect" })
    assert.equal(#clip, result.value.bytes)
    local refused = send { url = url "/", redirects = 1,
      headers = { Authorization = "Bearer x" } }
    assert.equal("invalid", refused[1].failure.reason)
    assert.is_false(refused[1].failure.sent)
  end)

  it("continues where a download was cut", function()
    local result = run(nginx, "download", { name = "cut.mp4",
      order = order_of "media_truncated" })
    assert.equal(#clip, result.value.bytes)
    assert.is_true(result.value.resumed_from > 0)
    assert.is_true(saved "cut.mp4" == clip)
  end)

  it("starts over where the file has changed", function()
    local result = run(nginx, "download", { name = "changed.mp4",
      order = order_of "media_changed" })
    assert.truthy(result.value)
    assert.is_nil(result.value.resumed_from)
    assert.equal(result.value.bytes, #saved "changed.mp4")
  end)

  it("takes the whole file where a part was asked for", function()
    local result = run(nginx, "download", { name = "whole.mp4",
      order = order_of "media_no_range,media_truncated=1" })
    assert.equal(#clip, result.value.bytes)
    assert.is_true(saved "whole.mp4" == clip)
  end)

  it("begins again where the host's own copy is cut", function()
    local result = run(nginx, "download", { name = "half.mp4",
      order = order_of "media_half" })
    assert.equal(#clip, result.value.bytes)
    assert.is_true(saved "half.mp4" == clip)
  end)

  it("saves a video that is called a text", function()
    local result = run(nginx, "download", { name = "text.mp4",
      order = order_of "media_text" })
    assert.equal("mp4", result.value.container)
    assert.is_true(saved "text.mp4" == clip)
  end)

  it("gives up nothing of a video for a page", function()
    local result = run(nginx, "download", { name = "page.mp4",
      order = order_of "media_truncated=1,media_html" })
    assert.equal("protocol", result.err.kind)
    assert.truthy(result.err.message:find("Sign in first", 1, true))
    local part = saved "page.mp4.part"
    assert.is_true(#part > 0 and part == clip:sub(1, #part))
  end)

  it("saves a page where anything is accepted", function()
    local result = run(nginx, "download", { name = "any.mp4",
      order = order_of "media_html", options = { accept = "any" } })
    assert.is_nil(result.value.container)
    assert.truthy(saved "any.mp4":find("Sign in first", 1, true))
  end)

  it("does not wait for ever for the rest of a file", function()
    local result = run(nginx, "download", { name = "stalled.mp4",
      order = order_of "media_stall=1", options = { stall_timeout = 0.5 } })
    assert.equal(#clip, result.value.bytes)
    assert.is_true(saved "stalled.mp4" == clip)
  end)

  it("keeps what has come when the time is up", function()
    local result = run(nginx, "download", { name = "slow.mp4",
      order = order_of "media_slow=5", options = { timeout = 1 } })
    assert.equal("timeout", result.err.kind)
    assert.is_true(result.err.bytes > 0)
    assert.equal(result.err.bytes, #saved "slow.mp4.part")
    result = run(nginx, "download", { name = "slow.mp4",
      order = order_of "media_slow=1", options = { timeout = 10 } })
    assert.equal(#clip, result.value.bytes)
  end)

  it("lets others be served meanwhile", function()
    local loading = submit(nginx, "download", { name = "long.mp4",
      order = order_of "media_slow=2" })
    local longest = 0
    while not loading:done() do
      local began = core.now()
      local ping = assert(engine:submit { url = nginx.url .. "/ping" })
      assert.equal("pong", transfers.finish(ping, engine).body)
      longest = math.max(longest, core.now() - began)
    end
    assert.is_true(longest < 0.5, longest)
    assert.equal(#clip,
      json.decode(loading:result().body).value.bytes)
  end)

  it("sends orders in turn", function()
    local began = core.now()
    assert.equal(3, #run(nginx, "orders", { order = order_of "create_slow=0.3" }))
    assert.is_true(core.now() - began >= 0.9)
  end)

  it("keeps a second writer from a file", function()
    local arguments = { name = "twice.mp4", order = order_of "media_slow=3",
      options = { timeout = 30 } }
    local first = submit(nginx, "download", arguments)
    local second = submit(nginx, "download", arguments)
    local results = {
      json.decode(transfers.finish(first, engine).body),
      json.decode(transfers.finish(second, engine).body) }
    local loser = results[1].err or results[2].err
    assert.equal("io", loser.kind)
    assert.truthy(loser.message:find "another download")
    assert.equal(#clip, (results[1].value or results[2].value).bytes)
  end)

  it("refuses answers that are too large", function()
    outside("POST", "/__sandbox/scenario", '{"scenario":"query_huge"}')
    local results = send({ url = url "/v1/result/x", timeout = 20,
      max_body = 100000,
      headers = { Authorization = "Bearer " .. provider.key } })
    outside("POST", "/__sandbox/scenario", "{}")
    assert.equal("too_large", results[1].failure.reason)
    assert.equal(100000, #results[1].failure.body)
    assert.is_string(results[1].failure.headers["content-type"])
    assert.equal("body", results[1].failure.phase)
    assert.equal(200, results[1].failure.status)
  end)

  it("closes the connection once the light thread that waits is killed", function()
    local get = { url = url "/v1/result/x", timeout = 20,
      headers = { Authorization = "Bearer " .. provider.key } }
    send(get)
    outside("POST", "/__sandbox/scenario", '{"scenario":"query_hang"}')
    local idle = connections()
    run(nginx, "kill", { after = 0.2, request = get })
    outside("POST", "/__sandbox/scenario", "{}")
    assert.is_true(idle >= 1)
    assert.is_true(soon(function() return connections() < idle end))
  end)

  it("closes the file once the light thread that waits is killed", function()
    local video = run(nginx, "download", { name = "first.mp4",
      order = order_of "media_slow=3" })
    run(nginx, "kill", { after = 0.3, request = { redirects = 5,
      url = video.link, sink = { path = "killed.mp4" } } })
    assert.is_true(soon(function()
      local result = send({ url = video.link, redirects = 5, timeout = 0.3,
        sink = { path = "killed.mp4" } })[1]
      return result.failure.reason == "timeout"
    end))
  end)

  local malformed = {
    { "a method of its own", "invalid", { url = "https://h/",
      method = "PUT" } },
    { "a POST that follows redirects", "invalid", { url = "https://h/",
      method = "POST", redirects = 1 } },
    { "a line break in a header", "invalid", { url = "https://h/",
      headers = { A = "b\r\nC: d" } } },
    { "a header without a name", "invalid", { url = "https://h/",
      headers = { ["A:"] = "b" } } },
    { "a line break in the URL", "invalid", { url = "https://h/\r\nA: b" } },
    { "a user name in the URL", "invalid", { url = "https://u:p@h/" } },
    { "another scheme", "invalid", { url = "ftp://h/" } },
    { "no host", "invalid", { url = "https:///x" } },
    { "a port that is none", "invalid", { url = "https://h:99999/" } },
    { "http to another host", "insecure", { url = "http://example.com/" } },
    { "a file that cannot be written", "io", { url = "https://127.0.0.1:1/",
      sink = { path = "no/such/folder" } } },
  }
  for _, case in ipairs(malformed) do
    it(("sends nothing for %s"):format(case[1]), function()
      local failure = send(case[3])[1].failure
      assert.equal(case[2], failure.reason)
      assert.equal("queue", failure.phase)
      assert.is_false(failure.sent)
      assert.equal(0, failure.bytes_sent)
    end)
  end

  it("names nginx's resolver where a host name is not found", function()
    local failure = send({ url = "https://nowhere.invalid/" })[1].failure
    assert.equal("resolve", failure.reason)
    assert.truthy(failure.message:find("directive resolver", 1, true))
  end)

  it("says how to install lua-resty-http where it is missing", function()
    local bare = start_bare(provider.ca_file, { key = provider.key,
      base_url = provider.base_url }, INSTALLED and MISSING)
    local result = run(bare, "operate", { operation = "query", id = "x",
      url = provider.base_url, limit = 5, key = "k" })
    bare:stop()
    assert.equal("config", result.err.kind)
    assert.truthy(result.err.message:find("lua-resty-http", 1, true))
  end)
end)

describe("the transport resty_http", function()
  local server, nginx

  setup(function()
    server = servers.start()
    nginx = start(server.ca_file, {})
  end)

  teardown(function()
    nginx:stop()
    server:stop()
  end)

  local function operate(cell)
    local trial = trials.prepare(server, cell)
    local result = run(nginx, "operate", {
      operation = cell.operation, url = trial.url, limit = trial.limit,
      order = trial.order, id = answers.id, key = answers.key,
      link = answers.link(trial.url), name = "video.mp4",
      warm = trial.state.warm, slow = cell.fault.slow })
    trial.record = trial.fault.address and { connections = 0 }
      or server:record()
    trial.result, trial.err, trial.tries = result.value, result.err,
      result.tries
    return trial
  end

  it("orders over no connection that a repeated request has used", function()
    local http = speech.new()
    local right = http:answer { status = 200, body = "{}" }
    server:plan { { http:request(), right, http:request(), { "fin" } },
      { http:request(), right, http:request(), right, { "fin" } },
      { http:request(), right, { "fin" } } }
    local get = { url = server.url .. "/", timeout = 5 }
    local results = run(nginx, "send", { get, get, { url = server.url .. "/",
      method = "POST", body = "{}", fresh = true, timeout = 5 }, get })
    for _, result in ipairs(results) do
      assert.equal(200, result.response.status)
    end
    for _, request in ipairs(server:record()) do
      assert.is_true(request.number == 1 or request.method == "GET")
    end
  end)

  it("sends no order after its send_by, where the handshake took too long",
    function()
      local http = speech.new()
      server:plan { { { "wait" }, { "pause", 300 },
        { "tls", 0, "known/server" }, http:request(), { "fin" } } }
      local failure = run(nginx, "send", { { url = server.tls_url .. "/",
        method = "POST", body = "{}", fresh = true, timeout = 5,
        send_by = core.boottime() + 0.1 } })[1].failure
      assert.equal("late", failure.reason)
      assert.is_false(failure.sent)
      assert.equal(0, #server:record())
    end)

  local function is_one_of(names, name)
    return ("|" .. names .. "|"):find("|" .. name .. "|", 1, true) ~= nil
  end

  -- Head and body leave in two writes, so that a reset may come between them.
  local between = { ["the request is reset unread"] = true,
    ["the head of the request is cut by a reset"] = true }

  -- What no documented call of lua-resty-http can do (see docs/hosts.md): end
  -- a head that has no end, tell the status of half a head, read past an interim
  -- answer, and hand over the piece within which an answer ended. An order's
  -- pieces are a byte long.
  local endless = { ["a head without end"] = true,
    ["a line without end"] = true }
  local half = { ["half a head, closed"] = true,
    ["half a head, silence"] = true }
  local interim = { ["100 Continue and no more"] = true,
    ["100 Continue, silence"] = true }
  local dropped = { ["a length too long, closed"] = "network",
    ["a length too long, reset"] = "network",
    ["a length too long, silence"] = "timeout" }

  -- A file of no known length over TLS is refused at once.
  local unsized = { ["a video of no known length that is cut"] = true,
    ["a video of no known length whose TLS is cut"] = true }

  local function check_create(cell, trial)
    local wanted = cell.outcome
    local posts, err = trials.posts(trial), trial.err or {}
    assert.is_true(#posts <= wanted.posts, #posts)
    for _, post in ipairs(posts) do
      assert.equal(1, post.number)
    end
    if not wanted.kind then
      return assert.truthy(trial.result, err.message)
    end
    assert.is_true(is_one_of(wanted.kind, err.kind), err.message)
    if wanted.kind == "outcome_unknown" then
      assert.equal(wanted.names_task and answers.id or nil, err.task_id)
    end
    assert.equal(not half[cell.fault.name] and wanted.status or nil, err.status)
    if wanted.tries then
      assert.equal(wanted.sent, err.sent)
      assert.is_true(is_one_of(wanted.phase, err.phase) or err.phase == "request"
        and between[cell.fault.name], err.phase)
      assert.equal(wanted.sent, err.bytes_sent > 0)
      assert.equal(wanted.tries, trial.tries)
    end
  end

  local function check_reading(cell, trial)
    local err, wanted = trial.err or { kind = "done" }, cell.outcome
    if interim[cell.fault.name] and wanted ~= "done" then
      wanted = "protocol"
    elseif cell.operation == "query" then
      wanted = dropped[cell.fault.name] or wanted
    elseif unsized[cell.fault.name] and cell.state.tls then
      wanted = "protocol"
    end
    assert.equal(0, #trials.posts(trial))
    assert.equal(wanted, err.kind, err.message)
    for _, request in ipairs(trial.record) do
      assert.is_false(request.has_key and request.line:find "/media/" ~= nil)
    end
  end

  for _, cell in ipairs(trials.cells(faults)) do
    local fault = cell.fault
    if not cell.state.h2 and fault.http ~= 2 and not endless[fault.name] then
      it(("%s, %s, %s"):format(fault.name, cell.operation, cell.state.name),
        function()
          local trial = operate(cell)
          if cell.operation == "create" then
            check_create(cell, trial)
          else
            check_reading(cell, trial)
          end
        end)
    end
  end
end)
