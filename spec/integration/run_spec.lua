-- Programs without a loop that wait on the engine's descriptor, and Ctrl-C as
-- the system sends it.

local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
local interpreter = require "spec.fixtures.interpreter"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local FAST = { first_poll = 0.2, interval = 0.2, max_interval = 0.2 }
local PARAMS = { model = "videos", duration = 4, prompt = "a kite" }

local PROGRAM = [[
local starvideos = require "starvideos"
local client = assert(starvideos.new { runtime = %q, api_key = %q,
  base_url = %q, interrupts = "return", ledger = ":memory:" })
local last
if client.run and %q ~= "block" then
  last = client:async(client.create, client, { model = "videos", duration = 4,
    prompt = "a kite [scenario:create_slow=3]" })
  client:async(client.wait, client, "video_1")
end
io.open(%q, "w"):close()
if last then
  client:run()
end
local _, err = client:sleep(last and 0 or 30)
err = last and last.err or err
print(err.kind, err.interrupted, err.task and err.task.id)
]]

describe("a program without a loop", function()
  local server, client, path

  setup(function()
    server = assert(nginx.start { seconds = 0.8, queued_seconds = 0.2,
      drawn = false })
  end)
  teardown(function()
    server:stop()
  end)
  before_each(function()
    path = os.tmpname()
  end)
  after_each(function()
    os.remove(path)
  end)

  -- What a program prints that is sent a SIGINT while it waits.
  local function interrupted(runtime)
    local begun = path .. ".begun"
    file.write(path, PROGRAM:format(runtime, server.key, server.base_url,
      runtime, begun))
    return shell.read(([[%s %s 2>&1 & pid=$!
      while [ ! -e @begun@ ]; do sleep 0.02; done; rm @begun@
      sleep 0.4; kill -INT $pid; wait $pid]]):gsub("@begun@", begun)
      :format(interpreter, path))
  end

  for _, runtime in ipairs { "frame", "poll" } do
    describe("with the runtime " .. runtime, function()
      before_each(function()
        client = assert(starvideos.new { api_key = server.key,
          base_url = server.base_url, runtime = runtime, ledger = ":memory:" })
      end)
      after_each(function()
        client:close()
      end)

      it("sleeps until an answer wakes it", function()
        local order = client:async(function()
          return client:wait(assert(client:create(PARAMS)), FAST)
        end)
        local before, began = os.clock(), core.now()
        assert(client:run(20))
        assert.equal("completed", order.result.status)
        assert.is_true(core.now() - began < 5)
        assert.is_true(os.clock() - before < 0.3)
      end)

      it("sleeps as long as it is told", function()
        client:async(client.wait, client, "video_1", { first_poll = 5 })
        local before, began = os.clock(), core.now()
        assert(client:sleep(1))
        assert.is_near(1, core.now() - began, 0.25)
        assert.is_true(os.clock() - before < 0.1)
      end)

      it("ends at Ctrl-C, and its order still gets its answer", function()
        assert.matches("^cancelled\ttrue\tvideo_%w+$", interrupted(runtime))
      end)
    end)
  end

  it("sleeps until Ctrl-C", function()
    local began = core.now()
    assert.equal("cancelled\ttrue\tnil", interrupted "block")
    assert.is_true(core.now() - began < 5)
  end)
end)
