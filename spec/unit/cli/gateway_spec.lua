local commands = require "spec.fixtures.command"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local json = require "starvideos.json"

describe("the command gateway, before it starts anything,", function()
  local folder

  before_each(function()
    folder = files.folder()
  end)

  after_each(function()
    files.remove(folder)
  end)

  local function file(name, text)
    local path = folder .. "/" .. name
    local handle = assert(io.open(path, "wb"))
    handle:write(text)
    handle:close()
    return path
  end

  local function run(...)
    return commands.run { "gateway", "--folder", folder .. "/gateway", ... }
  end

  local function is_refused(sentence, ...)
    local code, out, err = run(...)
    assert.equal(2, code, err)
    assert.equal("", out)
    assert.truthy(err:find(sentence, 1, true), err)
    assert.truthy(err:find("nothing was started", 1, true), err)
    return err
  end

  it("names every option that is wrong", function()
    local err = is_refused("--port must be", "--port", "99999", "--workers",
      "1.5", "--listen", "example.com", "--public-url", "ftp://x",
      "--tls-key", folder .. "/missing.pem")
    for _, sentence in ipairs { "--workers must be a whole number",
      "--listen must be an address", "--public-url must be", "--tls-key must be a"
        .. " file that can be read", "--tls-cert and --tls-key go together" } do
      assert.truthy(err:find(sentence, 1, true), sentence)
    end
  end)

  for option, value in pairs { ["--keep-days"] = "soon", ["--keep-bytes"] = "20X",
    ["--interval"] = "0", ["--host"] = "a b",
    ["--trusted-proxy"] = "10.0.0.0/33", ["--callers"] = "/missing.json",
    ["--prices"] = "/missing.json", ["--ca-file"] = "/missing.pem" } do
    it("refuses " .. option .. " " .. value, function()
      is_refused(option .. " must be", option, value)
    end)
  end

  for _, name in ipairs { "x\nExecStartPre=/bin/false", "x y", "x;", "%n" } do
    it(("refuses the account %q"):format(name), function()
      is_refused("--user must be the name of an account", "--user", name)
    end)
  end

  it("refuses a folder that nginx.conf could not name", function()
    local code, _, err = commands.run { "gateway", "--folder", "/tmp/a$b" }
    assert.equal(2, code)
    assert.truthy(err:find("--folder must be a path without", 1, true), err)
  end)

  for _, address in ipairs { "0.0.0.0", "::", "192.0.2.1", "[2001:db8::1]" } do
    it("lets nobody in from elsewhere without a file of callers: " .. address,
      function()
        is_refused("name who may order with --callers", "--listen", address)
      end)
  end

  it("names every fault of the file of callers", function()
    local path = file("callers.json", json.encode { callers = {
      { name = "ann", token_sha256 = "short" }, { name = "a b",
        token_sha256 = ("0"):rep(64) } } })
    local err = is_refused("callers[1] (ann).token_sha256", "--callers", path)
    assert.truthy(err:find("callers[2] (a b).name", 1, true), err)
  end)

  it("refuses callers with a spend where there are no prices", function()
    local path = file("callers.json", json.encode { callers = { { name = "ann",
      token_sha256 = ("0"):rep(64), limits = { spend = 5 } } } })
    is_refused("pass --prices", "--callers", path)
  end)

  it("makes a token, and the entry that a file of callers takes for it",
    function()
      local code, out = commands.run { "gateway", "--new-token", "ann" }
      assert.equal(0, code)
      local token, entry = out:match "once: (%w+)\n[^{]*(%b{})\n"
      assert.truthy(#token >= 32)
      assert.same({ name = "ann", token_sha256 = curl.sha256(token) },
        json.decode(entry))
      assert.is_nil(select(2, commands.run { "gateway", "--new-token", "ann" })
        :find(token, 1, true))
    end)

  it("makes no token for what is no name", function()
    local code, out, err = commands.run { "gateway", "--new-token", "a b" }
    assert.equal(2, code)
    assert.equal("", out)
    assert.truthy(err:find("(a b).name is no name", 1, true), err)
  end)

  it("prints no configuration that would show a password", function()
    local code, _, err = run("--print-config", folder .. "/etc", "--ledger",
      "postgres://ann:secret@db.example/videos")
    assert.equal(2, code)
    assert.truthy(err:find("PGPASSWORD", 1, true), err)
    assert.is_nil(err:find("secret", 1, true))
  end)
end)
