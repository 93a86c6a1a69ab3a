local shell = require "starvideos.nginx.shell"
local configuration = require "starvideos.gateway.configuration"
local files = require "spec.fixtures.files"

describe("the systemd unit of a gateway", function()
  local function text(more)
    local service = { configuration = "/etc/starvideos",
      folder = "/var/lib/starvideos", ledger_folder = "/var/lib/starvideos",
      nginx = "/bin/true", user = "starvideos", port = 8080, files = 8192,
      library = "/usr/local/share/lua/5.1/starvideos/init.lua" }
    for name, value in pairs(more or {}) do
      service[name] = value
    end
    return configuration.unit(service)
  end

  it("stops with QUIT and two minutes' patience, and reloads with HUP", function()
    for _, line in ipairs { "KillSignal=SIGQUIT", "TimeoutStopSec=2min",
      "ExecReload=/bin/kill -HUP $MAINPID", "ProtectSystem=strict",
      "NoNewPrivileges=yes" } do
      assert.truthy(text():find("\n" .. line .. "\n", 1, true), line)
    end
    assert.is_nil(text { port = 80 }:find "@[%l_]+%??@")
  end)

  it("may listen below 1024 only where it has to", function()
    assert.truthy(text { port = 443 }:find("AmbientCapabilities=CAP_NET_BIND"))
    assert.is_nil(text():find("CAP_NET_BIND"))
    assert.truthy(text():find "\nCapabilityBoundingSet=\n")
  end)

  it("may write to the folder of its ledger, and lets systemd make its own",
    function()
      local other = text { ledger_folder = "/srv/ledgers" }
      assert.truthy(other:find("\nReadWritePaths=/var/lib/starvideos\n"
        .. "ReadWritePaths=/srv/ledgers\n", 1, true))
      assert.equal(1, select(2, text():gsub("ReadWritePaths", "")))
      assert.truthy(other:find "\nStateDirectory=starvideos starvideos/logs ")
      assert.is_nil(text { folder = "/srv/gateway" }:find "StateDirectory")
    end)

  it("sees home folders only where the library lies in one", function()
    assert.truthy(text():find "\nProtectHome=yes\n")
    assert.truthy(text { library = "/home/ann/lua/starvideos/init.lua" }
      :find "\nProtectHome=read%-only\n")
  end)

  -- A warning of what it does not know makes it print something.
  it("is one that systemd-analyze finds nothing wrong with", function()
    if not shell.run "command -v systemd-analyze >/dev/null" then
      return pending "systemd-analyze is not installed"
    end
    local folder = files.folder()
    local path = folder .. "/starvideos-gateway.service"
    for _, more in ipairs { {}, { port = 443, folder = "/srv/gateway" } } do
      files.write(path, text(more))
      assert.equal("0", shell.read(shell.fill(
        "systemd-analyze verify @path@ 2>&1; echo $?", { path = path })))
    end
    files.remove(folder)
  end)
end)
