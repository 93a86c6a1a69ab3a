-- A gateway that root starts, attacked by the account of its workers: whatever that
-- can change, root neither runs nor follows.

local commands = require "spec.fixtures.gateway_command"
local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

-- Of the machine, whose workers this spec plays.
local ACCOUNT = "nobody"
local AS = "setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups "

-- What says that it ran, and as whom.
local CODE = 'io.open("%s", "w"):write(io.popen("id -un"):read()) return {}'

if require("starvideos.nginx.shell").read "id -u" ~= "0" then
  return describe("a gateway that root starts", function()
    pending "only root can start one"
  end)
end

describe("a gateway that root starts", function()
  local provider, installed, command, folder, victim

  -- Installed, for the account may not enter this folder.
  setup(function()
    provider = assert(sandbox.start { seconds = 0.3, queued_seconds = 0.1,
      drawn = false })
    installed = files.folder()
    for _, lua in ipairs { "luajit", interpreter } do
      assert(shell.run(shell.fill("chmod 755 @prefix@ && make -s install LUA=@lua@"
        .. " PREFIX=@prefix@ >/dev/null", { lua = lua, prefix = installed })))
    end
  end)

  teardown(function()
    provider:stop()
    files.remove(installed)
  end)

  before_each(function()
    command = commands.new(provider, "env -u LUA_PATH -u LUA_CPATH " .. installed
      .. "/bin/starvideos")
    command.own_account = "--user " .. ACCOUNT
    folder, victim = command.folder .. "/starvideos-gateway",
      command.folder .. "/victim"
    shell.run(shell.fill("chmod 755 @folder@ && mkdir @folder@/root"
      .. " && echo root >@folder@/root/file && mkdir -m 1777 @folder@/marks",
      command))
    victim = command.folder .. "/root"
  end)

  after_each(function()
    command:stop()
  end)

  local function as_account(line)
    return (shell.run(shell.fill("cd @f@ && " .. AS .. "sh -c @line@ 2>/dev/null",
      { f = folder, line = line })))
  end

  -- That root's own files are as they were.
  local function victim_is_whole()
    assert.equal("root root\nroot root\nroot\nfile", shell.read(shell.fill(
      "cd @v@ && stat -c '%U %G' . file && cat file && ls -A", { v = victim })))
  end

  local function is_refused(...)
    assert.not_equal(0, command:ended())
    local text = command:read "err"
    for _, part in ipairs { "nothing was started", ... } do
      assert.truthy(text:find(part, 1, true), text)
    end
    victim_is_whole()
    return text
  end

  local function serves()
    local body, status = command:ask("/v1/videos", "-H 'Content-Type:"
      .. " application/json' -d " .. shell.quote(json.encode { model = "videos",
        prompt = "a kite", seconds = "4" }))
    assert.equal("200", status, body)
    for _ = 1, 200 do
      body = command:ask("/v1/videos/" .. json.decode(body).id)
      if json.decode(body).status == "completed" then
        return
      end
      core.sleep(0.05)
    end
    error(body)
  end

  -- As versions before it left one: of the workers, with links in it.
  local function old_folder(line)
    shell.run(shell.fill("cd @folder@ && mkdir -p starvideos-gateway/logs"
      .. " starvideos-gateway/tmp starvideos-gateway/files && cd"
      .. " starvideos-gateway && " .. line:gsub("VICTIM", victim) .. "; cd .. &&"
      .. " chown -Rh " .. ACCOUNT .. " starvideos-gateway", command))
  end

  it("names no account by itself, and prints how to make one", function()
    command.own_account = ""
    command:start()
    is_refused("--user", "useradd --system", "starvideos gateway --user")
    assert.is_false((shell.run(shell.fill("test -e @f@", { f = folder }))))
  end)

  it("owns all but what its workers write: files, tmp and the ledger", function()
    command:start():ready()
    -- Quoted, for groups of a domain have names with blanks.
    assert.truthy(command:read "starvideos-gateway/nginx.conf":find(
      ('user "%s" "%s";'):format(ACCOUNT, shell.read("id -gn " .. ACCOUNT)), 1, true))
    assert.equal(ACCOUNT, shell.read("ps -o user= --ppid " .. command:nginx()
      .. " | sort -u"))
    serves()
    assert.equal("./files\n./ledger\n./tmp", shell.read(shell.fill("cd @f@ &&"
      .. " find . -maxdepth 1 -user @a@ | sort", { f = folder, a = ACCOUNT })))
    assert.equal("", shell.read(shell.fill("cd @f@ && find . -path ./ledger"
      .. " -prune -o -path ./files -prune -o -path ./tmp -prune -o ! -user 0 -print"
      .. " -o -perm /022 -print", { f = folder })))
    assert.equal(ACCOUNT .. " 600", shell.read(shell.fill(
      "stat -c '%U %a' @f@/ledger/ledger.db", { f = folder })))
    command:signal "HUP"
    serves()
  end)

  it("lets its workers write no nginx.conf that SIGHUP would run, and put no link"
    .. " where root writes", function()
      command:start():ready()
      for _, line in ipairs { "echo x >>nginx.conf", "rm -f nginx.conf",
        "echo x >>gateway.conf", "mv gateway.conf old",
        "mv nginx.conf old", "ln -sf /etc/passwd nginx.conf", "echo x >cjson.lua",
        "echo '{}' >settings.json", "echo 1 >nginx.pid", "cat secret",
        "ln -sfn " .. victim .. " logs", "mv logs old", "rm -rf tmp; test ! -e tmp",
        "ln -sf " .. victim .. "/file logs/start.log", "rm -f logs/error.log",
        "ln -sf " .. victim .. "/file alive", "mv tmp old", "mv ledger old" } do
        assert.is_false(as_account(line), line)
      end
      command:signal "HUP"
      serves()
      victim_is_whole()
    end)

  it("runs no Lua file of its folder, or of the one that it is called in",
    function()
      local mark = command.folder .. "/marks/mark"
      assert(shell.run(shell.fill("mkdir -m 750 @f@ && chgrp $(id -g @a@) @f@",
        { f = folder, a = ACCOUNT })))
      for _, name in ipairs { "cjson", "starvideos", "resty/core", "ffi", "DBI",
        "starvideos/core", "starvideos/gateway", "table/new" } do
        assert(shell.run(shell.fill("cd @f@ && mkdir -p $(dirname @n@) && printf %s"
          .. " @code@ >@n@ && chmod -R go-w . && cp -r ./* ..",
          { f = folder, n = name .. ".lua", code = CODE:format(mark) })))
      end
      command:start():ready()
      serves()
      assert.equal("", file.read(mark))
    end)

  for what, line in pairs {
    ["at logs/"] = "rmdir logs && ln -s VICTIM logs",
    ["at logs/start.log"] = "ln -s VICTIM/file logs/start.log",
    ["at tmp/"] = "rmdir tmp && ln -s VICTIM tmp",
    ["in tmp/"] = "ln -s VICTIM tmp/body",
    ["at alive"] = "ln -s VICTIM/file alive",
    ["at nginx.conf"] = "ln -s VICTIM/file nginx.conf",
    ["at files/"] = "rmdir files && ln -s VICTIM files",
  } do
    it("follows no link of an older version's workers " .. what, function()
      old_folder(line)
      command:start()
      is_refused("what others can change", "chown -h root:")
      shell.run(shell.fill("cd @f@ && chown -h root . logs alive nginx.conf"
        .. " 2>/dev/null; chmod 755 .", { f = folder }))
      command:start()
      pcall(command.ready, command)
      victim_is_whole()
    end)
  end

  it("opens no ledger as root that its workers may have changed to a link",
    function()
      command:start():ready()
      command:signal "TERM"
      command:ended()
      assert(shell.run(shell.fill("chmod 700 @v@ && cd @f@ && rm -f ledger/*",
        { f = folder, v = victim })))
      assert.is_true(as_account("ln -s " .. victim .. "/file ledger/ledger.db"))
      command:start()
      is_refused()
    end)

  it("does not trust a folder that its workers could replace", function()
    shell.run(shell.fill("chown @a@ @f@", { f = command.folder, a = ACCOUNT }))
    command:start()
    is_refused("may change " .. command.folder)
    shell.run(shell.fill("mkdir @f@/of-root @f@/open && chmod 755 @f@/of-root"
      .. " && chown 0 @f@ && chown @a@ @f@/open && mkdir @f@/open/gateway && ln -s"
      .. " ../open/gateway @f@/of-root/link", { f = command.folder, a = ACCOUNT }))
    command:start "--folder of-root/link"
    is_refused("may change " .. command.folder .. "/open")
  end)

  it("does not trust a sticky folder of its workers, for they may rename there",
    function()
      shell.run(shell.fill("mkdir @f@/s && chown @a@ @f@/s && chmod 1755 @f@/s",
        { f = command.folder, a = ACCOUNT }))
      command:start "--folder s/gateway"
      is_refused("may change " .. command.folder .. "/s")
    end)

  it("goes on in a folder of an older version after the lines that it prints",
    function()
      command.own_account = "--user root" -- all in one folder, as before
      command:start():ready()
      serves()
      command:signal "TERM"
      command:ended()
      shell.run(shell.fill("chown -Rh @a@ @f@", { f = folder, a = ACCOUNT }))
      command.own_account = "--user " .. ACCOUNT
      command:start()
      local lines = {}
      for line in is_refused("chown -h root:"):gmatch "[^\n]+" do
        lines[#lines + 1] = line:match "^      (%S.*)$"
      end
      assert(shell.run("set -e\n" .. table.concat(lines, "\n")))
      command:start():ready()
      assert.equal(1, #json.decode((command:ask "/v1/videos")).data)
      serves()
    end)
end)
