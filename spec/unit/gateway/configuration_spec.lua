local configuration = require "starvideos.gateway.configuration"

describe("the configuration of a gateway", function()
  local function texts(more)
    local server = { modules = { "/m/ndk.so", "/m/lua.so" }, folder = "/var/lib/x",
      workers = 2, listen = "127.0.0.1:8080", lua_path = "L;;", c_path = "C;;" }
    for name, value in pairs(more or {}) do
      server[name] = value
    end
    return configuration.texts(server)
  end

  local function text(more)
    local all = texts(more)
    return all["nginx.conf"] .. all["gateway.conf"]
  end

  it("has no place that was left unfilled", function()
    local whole = text { tls = { cert = "/c.pem", key = "/k.pem" }, user = "www-data",
      group = "domain users", open_files = 8192, settings = "/etc/x",
      trusted_proxies = { "10.0.0.0/8", "::1" } }
    assert.is_nil(whole:find "@[%l_]+%??@")
    assert.is_nil(text():find "@[%l_]+%??@")
    for _, part in ipairs { 'user "www-data" "domain users";',
      "worker_rlimit_nofile 8192;", 'ssl_certificate "/c.pem";',
      'ssl_certificate_key "/k.pem";', "ssl_protocols", 'begin("/etc/x")',
      "listen 127.0.0.1:8080 ssl http2;", "real_ip_recursive on;",
      "set_real_ip_from 10.0.0.0/8;\n  set_real_ip_from ::1;" } do
      assert.truthy(whole:find(part, 1, true), part)
      assert.is_nil(text():find(part, 1, true), part)
    end
    assert.truthy(text():find("listen 127.0.0.1:8080;", 1, true))
    assert.truthy(text():find('load_module "/m/ndk.so";\nload_module "/m/lua.so";',
      1, true))
  end)

  it("names the key without its value", function()
    assert.truthy(text():find("env STARVIDEOS_API_KEY;", 1, true))
  end)

  it("is an nginx.conf around what any other can include", function()
    local main = texts()["nginx.conf"]
    assert.truthy(main:find("http {.-\n  include gateway.conf;\n}"))
    assert.is_nil(main:find("server {", 1, true))
  end)
end)
