local configuration = require "starvideos.gateway.nginx.configuration"

describe("the configuration of a gateway", function()
  local function text(more)
    local server = { modules = { "/m/lua.so" }, folder = "/var/lib/x",
      workers = 2, listen = "127.0.0.1:8080", lua_path = "L;;", c_path = "C;;" }
    for name, value in pairs(more or {}) do
      server[name] = value
    end
    return configuration.text(server)
  end

  it("has no place that was left unfilled", function()
    local whole = text { tls = { cert = "/c.pem", key = "/k.pem" },
      user = "www-data", open_files = 8192, settings = "/etc/x" }
    assert.is_nil(whole:find "@[%l_]+@")
    assert.is_nil(text():find "@[%l_]+@")
    for _, part in ipairs { "user www-data;", "worker_rlimit_nofile 8192;",
      'ssl_certificate "/c.pem";', 'begin("/etc/x")', "8080 ssl http2;" } do
      assert.truthy(whole:find(part, 1, true), part)
      assert.is_nil(text():find(part, 1, true), part)
    end
  end)

  it("names the key without its value", function()
    assert.truthy(text():find("env STARVIDEOS_API_KEY;", 1, true))
  end)

  it("takes what is included in place of the block http", function()
    local main = configuration.text({ modules = {}, folder = "/x", workers = 1 },
      "include gateway.conf;\n")
    assert.truthy(main:find("http {.-\n  include gateway.conf;\n}"))
    assert.is_nil(main:find("server {", 1, true))
  end)
end)
