local command = require "spec.fixtures.command"
local core = require "starvideos.core"
local doctors = require "starvideos.cli.doctor"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local shell = require "starvideos.nginx.shell"

local NOT_FOUND = { status = 404, headers = {},
  body = '{"code":404,"msg":"task not found"}' }

-- The provider, as it answers about a task that does not exist.
local function provider(answer, sent)
  return function(req)
    if sent then
      sent[#sent + 1] = req
    end
    if answer.reason then
      return nil, answer
    end
    return { status = answer.status or 200, body = answer.body,
      headers = answer.headers or {} }
  end
end

describe("doctor", function()
  local folder

  setup(function()
    folder = files.folder()
  end)

  teardown(function()
    files.remove(folder)
  end)

  -- The findings by their names, the exit code and what else was printed.
  local function examine(given, ...)
    given.transport = given.transport or provider(NOT_FOUND)
    local code, out, err = command.run({ "doctor", "--json", "-o", folder, ... },
      given)
    local found, by_name = json.decode(out), {}
    for _, finding in ipairs(found.findings) do
      by_name[finding.name] = finding
    end
    return by_name, code, out .. err, found.ok
  end

  it("finds all that is needed, and asks the provider one thing that costs"
    .. " nothing", function()
    local sent = {}
    local found, code, _, ok = examine { transport = provider(NOT_FOUND, sent) }
    assert.equal(0, code)
    assert.is_true(ok)
    for _, name in ipairs { "starvideos", "Lua", "libcurl", "lua-cjson",
      "argparse", "key", "base URL", "provider", "folder", "terminal" } do
      assert.equal("ok", found[name].state, name)
    end
    assert.equal(1, #sent)
    assert.equal("GET", sent[1].method)
    assert.truthy(sent[1].url:find("/v1/result/", 1, true))
    assert.is_nil(sent[1].body)
  end)

  it("asks nobody with --offline", function()
    local found, code = examine({ transport = function()
      error "something was sent"
    end }, "--offline")
    assert.equal(0, code)
    assert.equal("skipped", found.provider.state)
  end)

  for status, body in pairs { [403] = "<html>blocked", [407] = "" } do
    it("blames neither key nor base URL for a proxy's HTTP " .. status, function()
      local found, code = examine { transport = provider { status = status,
        body = body } }
      assert.equal(2, code)
      assert.truthy(found.provider.found:find("a proxy or firewall", 1, true))
      assert.truthy(found.provider.cure:find("https_proxy", 1, true))
    end)
  end

  it("never prints the key", function()
    local _, _, text = examine { key = "sk-very-secret", transport = provider {
      status = 401, body = '{"error":"no sk-very-secret"}' } }
    assert.is_nil(text:find("sk-very-secret", 1, true))
  end)

  it("says who may read a ledger, and takes that from others", function()
    if core.system() ~= "posix" then
      return
    end
    local path = folder .. "/rights.db"
    local function orders(mode, owner)
      shell.run(shell.fill("rm -f @path@*; : >@path@", { path = path }))
      command.run({ "pending" }, { ledger = path })
      shell.run(shell.fill("chmod @mode@ @path@; chown @owner@ @path@", {
        mode = mode, owner = owner or "+" .. shell.read "id -u", path = path }))
      return examine { ledger = path }.ledger
    end
    assert.falsy(orders("600").found:find("other accounts", 1, true))
    local finding = orders "644"
    assert.equal("ok", finding.state)
    assert.truthy(finding.found:find("lost them just now", 1, true))
    assert.equal("640", files.mode(path))
    if shell.read "id -u" == "0" then -- may open it, and leaves it as it is
      finding = orders("644", "+65534")
      assert.equal("optional", finding.state)
      assert.truthy(finding.cure:find("chmod o=", 1, true))
      assert.equal("644", files.mode(path))
    end
    shell.run(shell.fill("rm -f @path@*", { path = path }))
  end)

  it("says that a ledger is a link to nothing", function()
    local path = folder .. "/dangling.db"
    shell.run(shell.fill("ln -s nothing @path@", { path = path }))
    local found = examine { ledger = path }.ledger
    shell.run(shell.fill("rm -f @path@", { path = path }))
    assert.equal("failed", found.state)
    assert.truthy(found.found:find("a link to something", 1, true), found.found)
  end)

  it("leaves nothing in the folder", function()
    examine { ledger = folder .. "/new.db" }
    assert.is_nil(core.kind(folder .. "/new.db"))
    assert.equal("", shell.read("ls -A " .. shell.quote(folder)))
  end)

  local cases = {
    { "a missing key", { key = " " }, "key", "missing", 2 },
    { "a refused key", { transport = provider {
      body = '{"code":"204","msg":"no"}' } }, "provider", "failed", 3 },
    { "a wrong base URL", { base_url = "ftp://nowhere" }, "base URL", "failed",
      2 },
    { "an address that is not the API's", { transport = provider {
      body = '{"code":500,"data":null,"msg":"No handler found for GET /x"}' } },
      "provider", "failed", 2 },
    { "a name that does not resolve", { transport = provider {
      reason = "resolve", message = "no such host", sent = false } }, "provider",
      "failed", 5 },
    { "a certificate that is not trusted", { transport = provider {
      reason = "tls", message = "bad certificate", sent = false } }, "provider",
      "failed", 5 },
    { "a provider that is broken", { transport = provider { status = 502,
      body = "<html>" } }, "provider", "failed", 5 },
    { "a clock that is wrong", { transport = provider { status = 404,
      body = NOT_FOUND.body,
      headers = { date = "Fri, 01 Jan 2010 00:00:00 GMT" } } }, "clock",
      "failed", 2 },
  }
  for _, case in ipairs(cases) do
    it("finds " .. case[1] .. ", with its cure", function()
      local found, code, _, ok = examine(case[2])
      local finding = found[case[3]]
      assert.equal(case[4], finding.state, finding.found)
      assert.truthy(finding.cure)
      assert.equal(case[5], code)
      assert.is_false(ok)
    end)
  end

  it("finds a ledger that cannot be opened, a folder and certificates that are"
    .. " not there", function()
    local name = folder .. "/no.db"
    files.write(name, ("this is no ledger\n"):rep(100))
    local found, code = examine { ledger = name }
    os.remove(name)
    assert.equal("failed", found.ledger.state)
    assert.equal(8, code)
    found, code = examine({}, "-o", folder .. "/nowhere", "--ca-file",
      folder .. "/none.pem")
    assert.equal("failed", found.folder.state)
    assert.equal("failed", found["CA file"].state)
    assert.equal(8, code)
  end)

  it("finds a ledger that works", function()
    local name = folder .. "/good.db"
    files.write(name, "")
    command.run({ "status", "--ledger", name })
    local found, code = examine { ledger = name }
    for _, ending in ipairs { "", "-wal", "-shm" } do
      os.remove(name .. ending)
    end
    assert.equal("ok", found.ledger.state, found.ledger.found)
    -- On Windows only a network drive has a name.
    local file_system = core.file_system(name)
    assert.equal(file_system and ("(file system %s)"):format(file_system),
      found.ledger.found:match("%(file system [^)]*%)"))
    assert.equal(0, code)
  end)

  it("finds a ledger on a network file system, whether it is there or not",
    function()
      local file_system = core.file_system
      finally(function() core.file_system = file_system end)
      core.file_system = function() return "fuse.sshfs" end
      files.write(folder .. "/there.db", "")
      for _, name in ipairs { "/there.db", "/not-there.db" } do
        local found, code = examine { ledger = folder .. name }
        assert.equal("failed", found.ledger.state)
        assert.truthy(found.ledger.found:find("fuse.sshfs", 1, true))
        assert.truthy(found.ledger.cure:find("postgres://", 1, true))
        assert.equal(8, code)
      end
    end)

  it("finds a ledger that has two names", function()
    files.write(folder .. "/one.db", "")
    assert(shell.run(shell.fill("ln @folder@/one.db @folder@/two.db",
      { folder = folder })))
    local found, code = examine { ledger = folder .. "/two.db" }
    assert.equal("failed", found.ledger.state)
    assert.truthy(found.ledger.found:find("hard link", 1, true))
    assert.equal("remove one of the names", found.ledger.cure)
    assert.equal(8, code)
  end)

  it("finds a libcurl that is too old, or without TLS", function()
    local curl = require "starvideos.curl"
    local version = curl.version
    finally(function() curl.version = version end)
    for text, wanted in pairs { ["libcurl/7.74.0 OpenSSL/1.1.1"] = "failed",
      ["libcurl/7.88.1 zlib/1.2"] = "failed",
      ["libcurl/8.14.0 GnuTLS/3.8 zlib/1.3"] = "ok" } do
      curl.version = function() return text end
      local found, code = examine {}
      assert.equal(wanted, found.libcurl.state, text)
      assert.equal(wanted == "ok" and 0 or 2, code)
    end
  end)

  it("is read by people, and says that nothing was bought", function()
    local code, out, err = command.run({ "doctor", "-o", folder },
      { key = " ", transport = provider(NOT_FOUND) })
    assert.equal(2, code)
    assert.truthy(out:find("missing   key", 1, true), out)
    assert.truthy(out:find("\n1 of these has to be cured. Nothing was ordered or"
      .. " bought.\n", 1, true), out)
    assert.truthy(err:find("nothing was ordered", 1, true))
    for line in out:gmatch "[^\n]+" do
      assert.is_true(#line <= 80, line)
    end
  end)

  it("begins with what --version shows", function()
    local _, out = command.run { "--version" }
    assert.equal(doctors.versions_text() .. "\n", out)
    local found = examine {}
    for _, row in ipairs(doctors.versions()) do
      assert.truthy(found[row.name], row.name)
    end
  end)
end)
