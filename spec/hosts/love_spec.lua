-- The example game inside the real LÖVE, on a display that nobody sees, against
-- the provider's stand-in over TLS. Its keys are pressed by the scenes in love/.

local books = require "spec.fixtures.books"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local love = require "spec.fixtures.love"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local KEY = "key-of-the-spec"

-- Beyond these an `update` has waited for the network.
local SLOW_ANSWER, NOT_BLOCKED = 1, 0.4

-- Clips large enough to come in many pieces: what players skip is added.
local MEGABYTES = 3

local function write_clip(path)
  local bundled = files.read "lua/starvideos/sandbox/clip.mp4"
  files.write(path, bundled .. ("\0%c\0\0free"):format(16 * MEGABYTES)
    .. ("\0"):rep(MEGABYTES * 1048576 - 8))
end

describe("a game in LÖVE", function()
  local server, folder, data

  setup(function()
    folder = files.folder()
    write_clip(folder .. "/clip.mp4")
    server = assert(nginx.start { tls = true, seconds = 1, key = KEY,
      queued_seconds = 0.3, clip = folder .. "/clip.mp4", drawn = false })
    data = folder .. "/data/love/starvideos-balloons"
  end)

  teardown(function()
    server:stop()
    files.remove(folder)
  end)

  before_each(function()
    shell.run(shell.fill("rm -rf -- @folder@/data @folder@/result", {
      folder = folder }))
  end)

  -- What the game saw, how long after the scene it ended, in seconds, and what
  -- it printed.
  local function play(scene, scenario, environment)
    local more = { STARVIDEOS_API_KEY = KEY, SSL_CERT_FILE = server.ca_file,
      STARVIDEOS_BASE_URL = server.base_url }
    for name, value in pairs(environment or {}) do
      more[name] = value
    end
    local well, printed, ended_at = love.run(folder, "spec/hosts/love", {
      arguments = { shell.read "pwd" .. "/examples/love", scene,
        folder .. "/result",
        scenario and ("[scenario:%s]"):format(scenario) },
      environment = more,
    })
    local result = files.read(folder .. "/result")
    local seen = assert(result and json.decode(result), printed)
    assert.is_nil(seen.fault)
    assert.is_true(well, printed)
    assert.is_false(seen.shows_key)
    assert.is_nil(printed:find(KEY, 1, true))
    return seen, ended_at - seen.ended_at, printed
  end

  local function is_video(path)
    local text = files.read(path)
    return text ~= nil and #text > MEGABYTES * 1048576
      and text:sub(5, 8) == "ftyp"
  end

  local function posts()
    return books.of(server).posts
  end

  it("orders at a key, shows how far it is, and saves the video", function()
    local before = posts()
    local seen = play("order", "media_slow=2")
    assert.equal(before + 1, posts())
    assert.truthy(seen.waiting:find("^Waiting for %d+ s; processing when the"
      .. " provider was last asked, 0 s ago$"), seen.waiting)
    local path = seen.saved:match "^Saved as (.*%.mp4)%. "
    assert.equal(data .. "/videos", path:match "(.*)/")
    assert.is_true(is_video(path))
    assert.same({ "file://" .. path, "file://" .. data .. "/videos" },
      seen.opened)
  end)

  it("draws all this", function()
    local seen = play("order", "media_slow=2")
    assert.equal(0, seen.before.bar)
    assert.is_true(seen.before.colours > 20)
    assert.is_true(seen.waiting_bar.bar > 0.1 and seen.waiting_bar.bar < 0.3)
    assert.is_true(seen.saving_bar.bar > 0.02 and seen.saving_bar.bar < 0.98)
    assert.is_true(seen.after.bar > 0.98)
    for _, name in ipairs { "before", "waiting", "saving", "after" } do
      local picture = files.read(("%s/%s.png"):format(data, name))
      assert.equal("\137PNG", picture:sub(1, 4))
    end
  end)

  it("never stops for an answer", function()
    local seen = play("click", ("create_slow=%g"):format(SLOW_ANSWER))
    print(("longest update of %d: %.3f ms"):format(seen.updates,
      seen.longest_update * 1e3))
    assert.is_true(seen.longest_update < NOT_BLOCKED)
    assert.is_true(seen.updates > 30)
  end)

  it("says how old is what it knows", function()
    local seen = play("stale", "never", { INTERVAL = "20" })
    local waited, age = seen.told:match
      "^Waiting for (%d+) s; queued when the provider was last asked, (%d+) s"
    assert.is_true(tonumber(waited) >= 3, seen.told)
    assert.is_true(tonumber(age) >= 2, seen.told)
  end)

  it("goes on at R after Escape, and buys nothing", function()
    local before = posts()
    local seen = play("go_on", "media_slow=1")
    assert.truthy(seen.told:find "^cancelled: ")
    assert.is_true(is_video(seen.saved:match "^Saved as (.*%.mp4)%. "))
    assert.equal(before + 1, posts())
  end)

  it("quits during an order without a frozen window", function()
    local before = posts()
    local seen, _, printed = play("quit_ordering", "create_slow=3")
    assert.equal(before + 1, posts())
    assert.truthy(seen.leaving:find "Leaving")
    assert.is_true(seen.frames_for > 1, seen.frames_for)
    assert.is_true(seen.longest_frame < NOT_BLOCKED, seen.longest_frame)
    assert.truthy(printed:find "video_%w+", printed)
  end)

  it("says by its kind what its font cannot show", function()
    local seen, _, printed = play("chinese", "failed_policy_chinese")
    assert.truthy(seen.told:find("^task_failed: the provider could not make the"
      .. " video; the console shows"), seen.told)
    assert.truthy(printed:find "task_failed: [\228-\233]")
  end)

  it("cancels at Escape, and orders again", function()
    local seen = play("cancel", "never")
    assert.truthy(seen.told:find "^cancelled: .* it goes on")
    assert.truthy(seen.told:find "R goes on waiting")
  end)

  it("shows why an order was refused, and goes on", function()
    local seen = play("error", nil, { STARVIDEOS_API_KEY = "another-key" })
    assert.truthy(seen.told:find "^auth: the provider refused the API key")
    assert.equal(seen.told, seen.still)
  end)

  it("shows that there is no key", function()
    local seen = play("error", nil, { STARVIDEOS_API_KEY = "" })
    assert.truthy(seen.told:find "^config: no API key")
  end)

  it("shows that the address is none, and ignores its keys", function()
    local seen = play("refusal", nil, { STARVIDEOS_BASE_URL = "ftp://x" })
    assert.truthy(seen.told:find "^config: ")
  end)

  it("shows nothing that LÖVE refuses to print", function()
    assert.equal("something went wrong; the console shows what was said",
      play("unreadable").told)
  end)

  it("makes what an operation raises the result of its handle", function()
    local seen = play "raise"
    assert.truthy(seen.told:find "boom")
  end)

  it("quits within a second while it waits", function()
    local _, seconds = play("quit_waiting", "never")
    assert.is_true(seconds < 1)
  end)

  it("quits within a second while it saves, and keeps what has come", function()
    local _, seconds = play("quit_saving", "media_slow=60")
    assert.is_true(seconds < 1)
    local kept = shell.read(shell.fill("ls @data@/videos", { data = data }))
    assert.truthy(kept:find "%.mp4%.part\n")
    assert.equal("", shell.read(shell.fill("ls @folder@/tmp", {
      folder = folder })))
  end)

  it("leaves its threads clients of their own", function()
    local seen = play "threads"
    assert.same({ data .. "/videos/thread-1.mp4",
      data .. "/videos/thread-2.mp4" }, seen.threads)
    for _, path in ipairs(seen.threads) do
      assert.is_true(is_video(path))
    end
    assert.is_true(is_video(seen.saved:match "^Saved as (.*%.mp4)%. "))
  end)
end)
