-- What the command `gateway` prints for an nginx of one's own, in a real one; and
-- how the one it starts listens.

local commands = require "spec.fixtures.gateway_command"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local json = require "starvideos.base.json"
local launcher = require "starvideos.nginx.launcher"
local configuration = require "starvideos.gateway.configuration"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local socket = require "socket"

local JSON = "-H 'Content-Type: application/json' -d "
local ORDER = JSON .. shell.quote(json.encode { model = "videos",
  prompt = "a kite", seconds = "4" })

describe("a gateway's nginx", function()
  local provider, command

  setup(function()
    provider = assert(sandbox.start { seconds = 0.3, queued_seconds = 0.1,
      drawn = false })
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

  local function orders_and_saves(more)
    more = more or ""
    local body, status = command:ask("/v1/videos", ORDER .. more)
    assert.equal("200", status, body)
    local path = "/v1/videos/" .. json.decode(body).id
    for _ = 1, 200 do
      if json.decode((command:ask(path, more))).status == "completed" then
        break
      end
      core.sleep(0.05)
    end
    local video
    video, status = command:ask(path .. "/content", more)
    assert.equal("200", status)
    assert.equal("ftyp", video:sub(5, 8))
  end

  it("finds its modules whatever Lua the command runs, and in no relative folder",
    function()
      local path, c_path = package.path, package.cpath
      finally(function()
        package.path, package.cpath = path, c_path
      end)
      local build = package.searchpath("starvideos.core", c_path):gsub(
        "starvideos/core", "?")
      package.cpath = "./?.so;lib/?.so;" .. build
      package.path = "./?.lua;lua/?.lua;;?.lua"
      local paths = assert(configuration.search_paths())
      for kind, templates in pairs { lua = paths.lua, c = paths.c } do
        local found
        for template in (templates .. ";"):gmatch "([^;]*);" do
          assert.equal("/", template:sub(1, 1), kind)
          found = found or file.exists((template:gsub("%?",
            kind == "c" and "cjson" or "resty/core")))
        end
        assert.is_true(found, templates)
      end
    end)

  describe("that was started", function()
    it("listens on IPv6", function()
      command:start "--listen ::1"
      command:ready()
      command.address = ("http://[::1]:%d"):format(command.port)
      assert.truthy(command:read "out":find(command.address .. "/", 1, true))
      assert.equal("200", select(2, command:ask "/v1/videos"))
    end)

    it("speaks TLS 1.2 and later, and HTTP/2, with the certificate it was given",
      function()
        assert(sandbox.certificate(command.folder .. "/tls"))
        command:start "--tls-cert tls/server.pem --tls-key tls/server.key":ready()
        command.address = "https://127.0.0.1:" .. command.port
        local trust = "--cacert " .. command.folder .. "/tls/ca.pem "
        assert.truthy(command:read "out":find(command.address .. "/", 1, true))
        for _, more in ipairs { "--tls-max 1.2", "--tlsv1.3", "--http2" } do
          assert.equal("200", select(2, command:ask("/v1/videos", trust .. more)),
            more)
        end
        assert.equal("000", select(2, command:ask("/v1/videos", trust
          .. "--tls-max 1.1")))
        assert.truthy(file.read(command.folder
          .. "/starvideos-gateway/logs/access.log"):find('"status":200', 1, true))
      end)

    it("answers what nginx refuses itself in JSON", function()
      command:start():ready()
      for _, case in ipairs {
        { "414", "/" .. ("x"):rep(9000) }, { "431", "/v1/videos", "-H 'X: "
          .. ("x"):rep(9000) .. "'" }, { "400", "/v1/videos", "-H 'Host;'" },
        { "405", "/v1/videos", "-X TRACE" },
        { "413", "/v1/videos", JSON .. shell.quote(("x"):rep(70000)) },
      } do
        local body, status = command:ask(case[2], case[3])
        assert.equal(case[1], status)
        assert.truthy((json.decode(body) or {}).error, body)
      end
    end)

    it("logs each request with its route, and no query, prompt or key", function()
      command:start():ready()
      local body = command:ask("/v1/videos", ORDER)
      command:ask("/v1/videos/" .. json.decode(body).id .. "?token=seen")
      command:ask "/v1/files/x.mp4?signature=seen"
      -- Each worker writes its lines once it has answered.
      local text, routes, count = nil, {}, 0
      while count < 3 do
        core.sleep(0.02)
        text = file.read(command.folder .. "/starvideos-gateway/logs/access.log")
        count = select(2, text:gsub("\n", ""))
      end
      for line in text:gmatch "[^\n]+" do
        local entry = assert(json.decode(line))
        assert.truthy(entry.request_id:find "^%x+$")
        routes[#routes + 1] = entry.route .. " " .. entry.status
      end
      table.sort(routes)
      assert.same({ " 404", "GET /v1/videos/{id} 200", "POST /v1/videos 200" }, routes)
      text = text .. file.read(command.folder
        .. "/starvideos-gateway/logs/error.log")
      for _, secret in ipairs { "seen", "a kite", provider.key } do
        assert.is_nil(text:find(secret, 1, true), text)
      end
    end)
  end)

  describe("for which a configuration was printed", function()
    local folder, port

    -- nginx is told of it once, and cannot choose another.
    local function free_port()
      local number, taken
      repeat
        number = launcher.port()
        taken = socket.connect("127.0.0.1", number)
        if taken then
          taken:close()
        end
      until not taken
      return number
    end

    -- Of its own paths, as `--print-config` says.
    local function printed(words)
      folder, port = command.folder, free_port()
      assert(shell.run(shell.fill("cd @folder@ && mkdir -p state/logs state/tmp"
        .. " state/files", command)))
      command:start(("--print-config etc --folder state --port %d %s"):format(port,
        words or ""))
      assert.equal(0, command:ended(), command:read "err")
      command.address = "http://127.0.0.1:" .. port
      return command:read "out"
    end

    it("explains what to do, and writes no key", function()
      local text = printed()
      for _, part in ipairs { "nginx.conf", "gateway.conf", "settings.json",
        "starvideos-gateway.service", "callers.example.json", "systemctl",
        "include " .. folder .. "/etc/gateway.conf", "-s quit", "-s stop" } do
        assert.truthy(text:find(part, 1, true), part)
      end
      assert.equal("1", shell.read(shell.fill("grep -rqF @key@ @folder@/etc; echo"
        .. " $?", command)))
      assert.is_nil(command:nginx "state")
    end)

    it("takes the place of a link, and leaves what that leads to", function()
      folder = command.folder
      file.write(folder .. "/mine", "mine")
      shell.run(shell.fill("mkdir @f@/etc; for name in nginx.conf settings.json"
        .. " gateway.conf starvideos-gateway.service; do ln -s @f@/mine @f@/etc/$name;"
        .. " done", { f = folder }))
      printed()
      assert.equal("mine", file.read(folder .. "/mine"))
      assert.truthy(file.read(folder .. "/etc/nginx.conf"):find("include", 1, true))
    end)

    it("has an example that can be used for callers", function()
      printed()
      command:start "--callers etc/callers.example.json":ready()
      assert.equal("401", select(2, command:ask "/v1/videos"))
    end)

    it("has a unit that systemd takes", function()
      if not shell.run "command -v systemd-analyze >/dev/null" then
        return pending "systemd-analyze is not installed"
      end
      printed()
      assert.equal("", shell.read(shell.fill(
        "systemd-analyze verify @folder@/etc/starvideos-gateway.service 2>&1",
        command)))
    end)

    local START = [[cd @folder@ && chmod -R o+rX etc && STARVIDEOS_API_KEY=@key@ \
      PATH="$PATH:/usr/sbin" nginx -p @folder@/@prefix@/ -c @folder@/@conf@ \
      -e @folder@/state/logs/error.log]]

    local function nginx_runs(prefix, conf, body)
      local function run(more)
        return shell.run(shell.fill(START, { folder = folder, key = provider.key,
          prefix = prefix, conf = conf }) .. " " .. (more or ""))
      end
      assert.is_true(run(), file.read(folder .. "/state/logs/error.log"))
      local ok, raised = pcall(body)
      run "-s quit"
      for _ = 1, 400 do
        if not file.exists(folder .. "/" .. prefix .. "/nginx.pid") then
          break
        end
        core.sleep(0.05)
      end
      assert(ok, raised)
    end

    -- Whose workers may write to it, where root starts it.
    local function user()
      return shell.read "id -u" == "0" and "user root;" or ""
    end

    it("runs it alone", function()
      printed()
      local path = folder .. "/etc/nginx.conf"
      file.write(path, user() .. file.read(path))
      nginx_runs("state", "etc/nginx.conf", orders_and_saves)
    end)

    -- examples/nginx, with the paths, ports and account of this spec.
    local function example(own)
      local values = { ["/etc/starvideos"] = folder .. "/etc",
        ["/run/nginx%.pid"] = folder .. "/own/nginx.pid",
        ["/var/log/nginx"] = folder .. "/own", ["user starvideos;"] = user(),
        ["443 ssl http2"] = "127.0.0.1:" .. own, ["ssl_[^\n]*\n"] = "\n",
        ["127%.0%.0%.1:8080"] = "127.0.0.1:" .. port }
      local text = file.read "examples/nginx/nginx.conf"
      for _, path in ipairs(assert(launcher.modules())) do
        values["load_module [^\n]*/" .. path:match "[^/]*$" .. ";"] =
          "load_module " .. path .. ";"
      end
      for pattern, value in pairs(values) do
        text = text:gsub(pattern, (value:gsub("%%", "%%%%")))
      end
      return text
    end

    it("can include it behind a server of its own, for callers", function()
      printed("--public-url https://videos.example.com --callers callers.json")
      file.write(folder .. "/callers.json", json.encode { callers = { {
        name = "ann", token_sha256 = curl.sha256 "token" } } })
      local own = free_port()
      shell.run(shell.fill("mkdir -p @folder@/own", command))
      file.write(folder .. "/own.conf", example(own))
      nginx_runs("own", "own.conf", function()
        command.address = "http://127.0.0.1:" .. own
        assert.equal("403", select(2, command:ask "/v1/videos"))
        local host = " -H 'Host: videos.example.com'"
        assert.equal("401", select(2, command:ask("/v1/videos", host)))
        orders_and_saves(host .. " -H 'Authorization: Bearer token'")
      end)
    end)
  end)
end)
