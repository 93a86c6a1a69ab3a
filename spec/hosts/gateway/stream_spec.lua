-- Server-sent events of the gateway in a real nginx with two workers, before the
-- provider's stand-in.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local file = require "starvideos.nginx.file"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local listeners = require "spec.fixtures.listeners"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local KEY = "key-of-the-gateway"

describe("the events of an order", function()
  local provider, gateway, folder, streams

  setup(function()
    provider = assert(sandbox.start { key = KEY, seconds = 1,
      queued_seconds = 0.3, drawn = false })
    folder = shell.read "mktemp -d"
  end)

  teardown(function()
    provider:stop()
    shell.run(shell.fill("rm -r @folder@", { folder = folder }))
  end)

  local function start(options)
    options = options or {}
    options.base_url = options.base_url or provider.base_url
    options.api_key = KEY
    gateway = gateways.start(options)
  end

  before_each(function()
    streams = {}
    start()
  end)

  after_each(function()
    for _, stream in ipairs(streams) do
      shell.run(("kill %d 2>/dev/null"):format(stream.pid))
    end
    local logs = gateway:logs()
    gateway:stop()
    assert.is_nil(logs:find("[error]", 1, true), logs)
    assert.is_nil(logs:find("[alert]", 1, true), logs)
  end)

  local function ask(method, path, words)
    return shell.read(("curl -s -m 20 -X %s %s '%s'"):format(method,
      words or "", gateway.url .. path))
  end

  local function order(scenario)
    local body = json.encode { model = "videos", duration = 4,
      prompt = "a kite"
        .. (scenario and " [scenario:" .. scenario .. "]" or "") }
    local text = ask("POST", "/v1/videos", shell.fill(
      "-H 'Content-Type: application/json' -d @body@", { body = body }))
    return (assert(assert(json.decode(text), text).id, text))
  end

  local function listen(id, words)
    local stream = { file = ("%s/%d"):format(folder, #streams + 1) }
    stream.pid = tonumber((shell.read(shell.fill(
      "rm -f @file@*; curl -sN -m 60 -o @file@ -w '%{http_code} %{exitcode}' "
      .. (words or "") .. " @url@ >@file@.end 2>/dev/null & echo $!", {
        file = stream.file,
        url = gateway.url .. "/v1/videos/" .. id .. "/events" }))))
    streams[#streams + 1] = stream
    return stream
  end

  -- The events that have come: `name`, `id`, `data`.
  local function events_of(stream)
    local list = {}
    for id, name, data in file.read(stream.file)
      :gmatch "id: ([^\n]*)\nevent: ([^\n]*)\ndata: ([^\n]*)\n\n" do
      list[#list + 1] = { id = id, name = name, data = json.decode(data) }
    end
    return list
  end

  local function names_of(stream)
    local names = {}
    for index, event in ipairs(events_of(stream)) do
      names[index] = event.name
    end
    return table.concat(names, " ")
  end

  -- Waits until something holds, for some seconds at most.
  local function await(holds, seconds)
    local give_up = core.now() + (seconds or 15)
    while not holds() and core.now() < give_up do
      core.sleep(0.05)
    end
    return holds()
  end

  -- How a stream has ended: the status of HTTP, and curl's exit code.
  local function ending(stream)
    local pattern = "^(%d+) (%d+)$"
    assert.is_truthy(await(function()
      return file.read(stream.file .. ".end"):match(pattern)
    end))
    return file.read(stream.file .. ".end"):match(pattern)
  end

  it("tell where it stands, each step, and its one end", function()
    local id = order()
    local stream = listen(id)
    assert.same({ "200", "0" }, { ending(stream) })
    local events = events_of(stream)
    assert.equal("progress", events[1].name)
    assert.equal(id, events[1].data.id)
    assert.is_true(#events >= 2)
    for index = 1, #events - 1 do
      assert.equal("progress", events[index].name)
    end
    local last = events[#events]
    assert.equal("completed", last.name)
    assert.equal("completed", last.data.status)
    assert.equal(100, last.data.progress)
    assert.is_truthy(file.read(stream.file):find "^retry: %d+\n\n")
  end)

  it("tell that it failed, and why", function()
    local stream = listen(order "failed")
    ending(stream)
    local events = events_of(stream)
    assert.equal("failed", events[#events].name)
    assert.equal("task_failed", events[#events].data.error.code)
  end)

  it("are one alone for an order that has ended", function()
    local id = order()
    ending(listen(id))
    local stream = listen(id)
    assert.same({ "200", "0" }, { ending(stream) })
    assert.equal("completed", names_of(stream))
  end)

  it("go on where the client says that it was", function()
    local id = order "never"
    local first = listen(id)
    assert.is_true(await(function()
      local events = events_of(first)
      return events[1] and events[#events].data.status == "in_progress"
    end))
    local known = events_of(first)
    local stream = listen(id, ("-H 'Last-Event-ID: %s'"):format(
      known[#known].id))
    core.sleep(1)
    assert.equal("", names_of(stream))
    assert.is_truthy(file.read(stream.file):find "^retry:")
  end)

  it("are over for a client that knows the end", function()
    local id = order()
    local stream = listen(id)
    ending(stream)
    local events = events_of(stream)
    assert.same({ "204", "0" }, { ending(listen(id,
      ("-H 'Last-Event-ID: %s'"):format(events[#events].id))) })
  end)

  it("are of an order that there is", function()
    local text = ask("GET", "/v1/videos/video_" .. ("0"):rep(32) .. "/events",
      "-w ' %{http_code} %{content_type}'")
    assert.is_truthy(text:find(" 404 application/json", 1, true), text)
    assert.equal("not_found", json.decode(text:match "^{.*}").error.code)
  end)

  it("end when the order is deleted", function()
    local id = order "never"
    local stream = listen(id)
    assert.is_true(await(function() return names_of(stream) ~= "" end))
    gateway:change "UPDATE starvideos_orders SET deleted_at = 1"
    assert.same({ "200", "0" }, { ending(stream) })
    assert.is_nil(names_of(stream):find "completed")
    assert.is_nil(names_of(stream):find "failed")
  end)

  it("come from another gateway on the same ledger, too", function()
    local first = gateway
    finally(function() first:stop() end)
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
      ledger = first.prefix .. "/ledger.db" }
    local other = gateway
    gateway = first
    local id = order()
    gateway = other
    local stream = listen(id)
    assert.same({ "200", "0" }, { ending(stream) })
    assert.is_truthy(names_of(stream):find "completed$")
  end)

  local function open_streams()
    return tonumber(ask("GET", "/metrics"):match "open_streams (%d+)")
  end

  it("are over when the client has gone", function()
    local id = order "never"
    for index = 1, 10 do
      listen(id)
      assert.is_true(await(function()
        return names_of(streams[index]) ~= ""
      end))
    end
    assert.is_true(await(function() return open_streams() == 10 end))
    for _, stream in ipairs(streams) do
      shell.run(("kill %d"):format(stream.pid))
    end
    assert.is_true(await(function() return open_streams() == 0 end, 3))
  end)

  it("say now and then that they are there, and end after a while", function()
    gateway:stop()
    start { before = [[local policy = require("starvideos.gateway.stream").policy
      policy.heartbeat, policy.longest = 0.3, 2]] }
    local stream = listen(order "never")
    assert.same({ "200", "0" }, { ending(stream) })
    local _, beats = file.read(stream.file):gsub("\n\n:", "")
    assert.is_true(beats >= 3, beats)
    assert.is_nil(names_of(stream):find "completed")
    assert.is_nil(names_of(stream):find "failed")
  end)

  it("are bounded in number, of one caller", function()
    gateway:stop()
    start { workers = 1 }
    local many, most = {}, 200
    local url = ("-o /dev/null %s/v1/videos/%s/events\n"):format(gateway.url,
      order "never")
    local path = folder .. "/many"
    assert(file.write(path, url:rep(most + 5)))
    local text = shell.read(([[curl -sN -m 3 -Z --parallel-max 300 \
      --parallel-immediate -w '%%{http_code} %%header{retry-after}\n' \
      $(cat %s) 2>/dev/null]]):format(path))
    for line in text:gmatch "[^\n]+" do
      many[line] = (many[line] or 0) + 1
    end
    assert.same({ ["200 "] = most, ["429 30"] = 5 }, many)
  end)

  it("are bounded over all nginx workers", function()
    gateway:stop()
    start { before = 'require("starvideos.gateway.stream").policy.of_caller = 20' }
    local path = folder .. "/both"
    local url = ("-o /dev/null %s/v1/videos/%s/events\n"):format(gateway.url,
      order "never")
    assert(file.write(path, url:rep(60)))
    local text = shell.read(([[curl -sN -m 3 -Z --parallel-max 60 \
      --parallel-immediate -w '%%{http_code}\n' $(cat %s) 2>/dev/null]]):format(path))
    local served = select(2, text:gsub("200", ""))
    -- Both may let one in at the same moment.
    assert.is_true(served >= 20 and served <= 22, tostring(served))
  end)

  it("bring 200 listeners their one end, though nginx is reloaded", function()
    local slow = assert(sandbox.start { key = KEY, seconds = 5, drawn = false })
    finally(function() slow:stop() end)
    gateway:stop()
    start { base_url = slow.base_url }
    local urls, engine = {}, curl.network { inline = true, max_in_flight = 200 }
    for index = 1, 4 do
      local id = order()
      for each = 1, 50 do
        urls[(index - 1) * 50 + each] = ("%s/v1/videos/%s/events"):format(
          gateway.url, id)
      end
    end
    local all = listeners.new(engine, urls)
    local begun = core.now()
    all:run(2, function() return core.now() > begun + 1 end)
    gateway:signal "HUP"
    assert.is_true(all:run(20))
    engine:close()
    for _, listener in ipairs(all) do
      assert.equal(200, listener.status)
      assert.is_true(listener.connects >= 2)
      assert.equal("progress", listener.events[1])
      assert.equal("completed", listener.events[#listener.events])
      assert.equal(1, listener.ends)
      assert.equal(0, listener.repeats)
    end
  end)
end)
