-- The specs' own Wine lets Linux's nginx be started: here is what users meet.
package.preload["starvideos.nginx.shell"] = nil
package.loaded["starvideos.nginx.shell"] = nil

local gateway = require "starvideos.cli.gateway"
local core = require "starvideos.core"
local runtime = require "starvideos.host"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

describe("on Windows", function()
  local system

  before_each(function()
    system = core.system
    core.system = function() return "windows" end
  end)

  after_each(function()
    core.system = system
  end)

  it("the gateway says where it runs", function()
    local result, err = gateway { options = { new_token = true } }
    assert.is_nil(result)
    assert.matches("Windows: start it in WSL.*nothing was started", err.message)
  end)

  it("the sandbox on sockets names the one without", function()
    local server, why = sandbox.start()
    assert.is_nil(server)
    assert.matches("Windows: .*starvideos%.sandbox", why)
  end)

  it("the runtime of nginx is refused", function()
    local before = rawget(_G, "ngx")
    rawset(_G, "ngx", { get_phase = function() end })
    local ok, why = pcall(runtime.new, {}, 1)
    rawset(_G, "ngx", before)
    assert.is_false(ok)
    assert.matches("ngx does not run on Windows", why)
  end)

  it("an nginx is refused, and nowhere else", function()
    assert.is_nil(shell.refusal("posix", "it", "wait"))
    assert.matches("^it runs .* wait$", shell.refusal("windows", "it", "wait"))
  end)
end)
