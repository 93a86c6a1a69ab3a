local commands = require "spec.fixtures.command"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"

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

  local function complaint(...)
    return select(3, commands.run { "gateway", "--keep-days", "x", ... })
  end

  it("refuses what is no address", function()
    for option, texts in pairs {
      ["--trusted-proxy"] = "1::2::3 ::1: 1:2:3:4:5:6:7:8:9 12345:: fe80::1%eth0"
        .. " 1.2.3 10.0.0.256 010.0.0.7 10.0.0.0/ 10.0.0.0/33 10.0.0.0/-1 /8"
        .. " 10.0.0.0/8/8 fd00::/129 fd00::/x ::ffff:10.0.0.7 ::ffff:a00:0/104"
        .. " 0:0:0:0:0:ffff:10.0.0.7 [::1] proxy.example unix:",
      ["--listen"] = "1::2::3 ::: 1.2.3 256.0.0.1 127.0.0.01 [127.0.0.1] [::1 ::1]"
        .. " fe80::1%lo example.com",
      ["--host"] = "[1::2::3] [1.2.3.4] [::1 [::1]:",
      ["--public-url"] = "https://[1::2::3] https://[1::2:]:8080" } do
      for text in texts:gmatch "%S+" do
        assert.truthy(complaint(option, text):find(option .. " must be", 1, true),
          option .. " " .. text)
      end
    end
  end)

  it("takes addresses as people write them", function()
    for option, texts in pairs {
      ["--trusted-proxy"] = "10.0.0.7 10.0.0.0/8 0.0.0.0/0 ::1 fd00::/8 ::/0"
        .. " 1:2:3:4:5:6:7:8/128 64:ff9b::1.2.3.4 2001:0db8::0001",
      ["--listen"] = "127.0.0.1 localhost 0.0.0.0 ::1 [::1] 2001:db8::1",
      ["--host"] = "[::1] [2001:db8::1]:80 192.0.2.1 videos.example:443",
      ["--public-url"] = "https://[2001:db8::1]:8443" } do
      for text in texts:gmatch "%S+" do
        assert.is_nil(complaint(option, text):find(option .. " must be", 1, true),
          option .. " " .. text)
      end
    end
  end)

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

  for _, address in ipairs { "0.0.0.0", "::", "0:0::0", "192.0.2.1", "[2001:db8::1]" } do
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
