-- One table of scenarios, run by every runtime, so that they cannot drift
-- apart: block, frame, poll in this process, ngx in a real nginx.

local books = require "spec.fixtures.books"
local cqueues = require "cqueues"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local host = require "spec.fixtures.nginx_host"
local json = require "starvideos.base.json"
local nginx = require "starvideos.sandbox.nginx"
local scenarios = require "spec.hosts.scenarios"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local sandbox, folder

local function pause(seconds)
  local engine = curl.network { inline = true }
  engine:step(seconds)
  engine:close()
end

local function new_world(scenario, runtime, more)
  local world = { now = core.now }
  local options = { api_key = sandbox.key, base_url = sandbox.base_url,
    ca_file = sandbox.ca_file, runtime = runtime }
  for _, source in ipairs { more or {}, scenario.options or {} } do
    for name, value in pairs(source) do
      options[name] = value
    end
  end
  world.client = assert(starvideos.new(options))
  function world.path(what)
    return ("%s/%s-%s-%s.mp4"):format(folder, runtime,
      scenario.name:gsub("%W", ""), what)
  end
  return world
end

local LIMIT_SECONDS = 60

local hosts = {}

function hosts.block(scenario)
  local stopped = false
  local world = new_world(scenario, "block", { sleep = function(seconds)
    if stopped then
      return nil, "cancelled"
    end
    pause(seconds)
  end })
  function world.cancel() stopped = true end
  local result = scenario.run(world)
  world.client:close()
  return result
end

local function in_loop(runtime, turn)
  return function(scenario)
    local world = new_world(scenario, runtime)
    local handle
    function world.cancel() handle:cancel() end
    local limit = core.now() + LIMIT_SECONDS
    handle = world.client:async(scenario.run, world)
    while not handle.done do
      assert(core.now() < limit, scenario.name .. " did not end")
      turn(world.client, handle)
    end
    world.client:close()
    assert.is_nil(handle.err)
    return handle.result
  end
end

hosts.frame = in_loop("frame", function(client)
  client:update()
  pause(0.002)
end)

hosts.poll = in_loop("poll", function(client, handle)
  local loop = cqueues.new()
  loop:wrap(function()
    while not handle.done do
      cqueues.poll(client)
      client:update()
    end
  end)
  assert(loop:loop())
end)

-- The same table, read by nginx: each scenario is a request to it.
local server

local SERVER = [[
location = /run {
  content_by_lua_block { require("app").answer() }
}]]

function hosts.ngx(scenario)
  local index
  for position, other in ipairs(scenarios.list) do
    index = other == scenario and position or index
  end
  local body, status = server:get("/run?scenario=" .. index)
  assert.equal("200", status, body)
  assert.equal("", server:complaints())
  return json.decode(body)
end

for _, runtime in ipairs { "block", "frame", "poll", "ngx" } do
  describe("the runtime " .. runtime, function()
    setup(function()
      sandbox = assert(nginx.start { tls = true, seconds = 0.6,
        queued_seconds = 0.2, drawn = false })
      folder = files.folder()
      server = runtime == "ngx" and host.start {
        app = "spec/hosts/scenarios.lua", server = SERVER,
        ca_file = sandbox.ca_file,
        settings = { key = sandbox.key, base_url = sandbox.base_url },
      }
    end)
    teardown(function()
      sandbox:stop()
      if server then
        server:stop()
      end
      shell.run("rm -rf " .. shell.quote(folder))
    end)
    before_each(function() books.reset(sandbox) end)

    for _, scenario in ipairs(scenarios.list) do
      it(scenario.name, function()
        assert.same(scenario.outcome, hosts[runtime](scenario))
        assert.equal(scenario.posts, books.of(sandbox).posts)
      end)
    end
  end)
end
