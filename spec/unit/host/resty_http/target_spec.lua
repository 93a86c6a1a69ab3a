local targets = require "starvideos.host.resty_http.target"

describe("the target of a request", function()
  it("is read from a URL", function()
    local target = targets.read "HTTPS://Media.example:8443/a/b.mp4?x=1#end"
    assert.equal("https", target.scheme)
    assert.equal("Media.example", target.host)
    assert.equal(8443, target.port)
    assert.equal("/a/b.mp4?x=1", target.path)
    assert.is_true(target.secure)
    assert.equal(443, targets.read "https://h".port)
    assert.equal("/", targets.read "https://h".path)
    assert.equal("/?a", targets.read "https://h?a".path)
    assert.equal("::1", targets.read "http://[::1]:80/".name)
  end)

  it("is this machine alone without TLS, unless more is allowed", function()
    for _, host in ipairs { "localhost", "127.0.0.1:80", "127.9.9.9",
      "[::1]:8080" } do
      assert.truthy(targets.read("http://" .. host .. "/"))
    end
    for _, host in ipairs { "127.0.0.1.example", "example.com", "10.0.0.1",
      "[::2]", "localhost.example" } do
      local _, failure = targets.read("http://" .. host .. "/?secret")
      assert.equal("insecure", failure.reason)
      assert.is_nil(failure.message:find("secret", 1, true))
      assert.truthy(targets.read("http://" .. host .. "/", true))
    end
  end)

  it("is a public address where only that is allowed", function()
    local public = targets.read("https://video.example/", false, true)
    for _, host in ipairs { "127.0.0.1", "localhost", "[::1]", "10.0.0.1:8080",
      "[::ffff:169.254.169.254]", "[64:ff9b::a00:1]" } do
      local _, failure = targets.read("https://" .. host .. "/?secret", true, true)
      assert.equal("private", failure.reason, host)
      assert.is_nil(failure.message:find("secret", 1, true))
      _, failure = targets.follow(public, "//" .. host .. "/", true, true)
      assert.equal("private", failure.reason, host)
      assert.truthy(targets.read("https://" .. host .. "/", true))
    end
    assert.truthy(targets.follow(public, "https://198.18.0.1/", false, true))
  end)

  it("is none where the URL cannot be read", function()
    for _, url in ipairs { "", "x", "/a", "https:", "https://", "https:///a",
      "https://h:0/", "https://h:65536/", "https://h:1x/", "https://u@h/",
      "https://a:b@h/", "https://[::1/", "ftp://h/", "https://h/a b",
      "https://h/\r\nX: y", "https://h/\0" } do
      local target, failure = targets.read(url)
      assert.is_nil(target, url)
      assert.equal("invalid", failure.reason)
    end
  end)

  it("follows a redirect", function()
    local from = targets.read "https://h:8443/a/b?c=1"
    for location, to in pairs {
      ["https://other/x"] = "other 443 /x", ["//other/x"] = "other 443 /x",
      ["/x?y"] = "h 8443 /x?y", ["x"] = "h 8443 /a/x",
      ["?d=2"] = "h 8443 /a/b?d=2", ["#end"] = "h 8443 /a/b?c=1",
    } do
      local target = targets.follow(from, location)
      assert.equal(to, ("%s %d %s"):format(target.host, target.port,
        target.path))
      assert.equal("https", target.scheme)
    end
  end)

  it("stays encrypted", function()
    local open = "http://127.0.0.1/a"
    for _, case in ipairs { { "https://h/", false }, { "https://h/", true },
      { "http://127.0.0.1/", false } } do
      local target, failure = targets.follow(targets.read(case[1]), open,
        case[2])
      assert.is_nil(target)
      assert.equal("insecure", failure.reason)
    end
    assert.truthy(targets.follow(targets.read "http://127.0.0.1/", open, true))
    local _, failure = targets.follow(targets.read "https://h/", "ftp://h/")
    assert.equal("protocol", failure.reason)
  end)
end)
