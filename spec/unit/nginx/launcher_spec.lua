local launcher = require "starvideos.nginx.launcher"

describe("the reason why nginx did not start", function()
  for _, case in ipairs {
    { "nginx: [emerg] bind() to 127.0.0.1:8080 failed (98: Address already in"
      .. " use)\nnginx: [emerg] still could not bind()\n",
      "127.0.0.1:8080 is in use by another program" },
    { "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
      "only root may listen on 0.0.0.0:80" },
    { "nginx: [emerg] bind() to 192.0.2.1:80 failed (99: Cannot assign requested"
      .. " address)", "this machine has no address for 192.0.2.1:80" },
    { 'nginx: [emerg] cannot load certificate "/c.pem": PEM_read_bio_X509_AUX()'
      .. " failed (SSL: error:0480006C)", '--tls-cert cannot be used: "/c.pem"' },
    { 'nginx: [emerg] cannot load certificate key "/k.pem": PEM_read() failed',
      '--tls-key cannot be used: "/k.pem"' },
    { 'nginx: [emerg] SSL_CTX_use_PrivateKey("/k.pem") failed (SSL: error:'
      .. "05800074:x509 certificate routines::key values mismatch)",
      "--tls-key is not the key of --tls-cert" },
    { "nginx: [error] init_by_lua error: init_by_lua(nginx.conf:12):1:"
      .. " /x/callers.json:\ncallers[1] is no object\nstack traceback:\n\t[C]: in"
      .. " function 'assert'", "/x/callers.json: callers[1] is no object" },
    { "nginx: [error] init_by_lua error: starvideos needs the Lua module cjson\n",
      "starvideos needs the Lua module cjson" },
    { 'nginx: [warn] the "listen ... http2" directive is deprecated in x:3\nnginx:'
      .. " [emerg] bind() to 127.0.0.1:8080 failed (98: Address already in use)",
      "127.0.0.1:8080 is in use by another program" },
    { 'nginx: [emerg] unknown directive "wind" in /x/nginx.conf:3',
      'unknown directive "wind" in /x/nginx.conf:3' },
    { "sh: 1: setsid: not found", "sh: 1: setsid: not found" },
  } do
    it("is told as: " .. case[2], function()
      local reason = launcher.reason(case[1])
      assert.equal(case[2], reason:sub(1, #case[2]))
      assert.is_nil(reason:find("\n", 1, true))
      assert.is_nil(reason:find("stack traceback", 1, true))
    end)
  end
end)
