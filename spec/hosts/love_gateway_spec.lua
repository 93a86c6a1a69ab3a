-- The example game that orders through a gateway, inside the real LÖVE: what its
-- player does stands in love/postcards.lua.

local books = require "spec.fixtures.books"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local gateways = require "spec.fixtures.gateway"
local json = require "starvideos.base.json"
local love = require "spec.fixtures.love"
local sandbox = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local KEY, TOKEN = "key-of-the-provider", "token-of-the-player"
local CLIP_BYTES = #files.read "lua/starvideos/sandbox/clip.mp4"

describe("a game in LÖVE before a gateway", function()
  local provider, gateway, folder, data

  setup(function()
    folder = files.folder()
    data = folder .. "/data/love/starvideos-postcards"
    provider = assert(sandbox.start { key = KEY, seconds = 1,
      queued_seconds = 0.2, drawn = false })
    gateway = gateways.start { base_url = provider.base_url, api_key = KEY,
      callers = { callers = {
        { name = "player", token_sha256 = curl.sha256(TOKEN) } } } }
  end)

  teardown(function()
    gateway:stop()
    provider:stop()
    files.remove(folder)
  end)

  before_each(function()
    shell.run(shell.fill("rm -rf -- @folder@/data @folder@/result", {
      folder = folder }))
  end)

  -- What the game showed. It never shows its token.
  local function play(scene)
    local well, printed = love.run(folder, "spec/hosts/love", {
      arguments = { shell.read "pwd" .. "/examples/love-gateway", scene,
        folder .. "/result" },
      environment = { POSTCARDS_GATEWAY = gateway.url,
        STARVIDEOS_API_KEY = TOKEN }, -- for the scenes: the game has none
    })
    local result = files.read(folder .. "/result")
    local seen = assert(result and json.decode(result), printed)
    assert.is_nil(seen.fault)
    assert.is_true(well, printed)
    assert.is_false(seen.shows_key)
    assert.is_nil(printed:find(TOKEN, 1, true))
    return seen
  end

  local function posts()
    return books.of(provider).posts
  end

  local function is_saved(seen)
    local path = seen.saved:match "^Saved as (.*%.mp4)%. "
    assert.equal(data .. "/videos", path:match "(.*)/")
    assert.equal(CLIP_BYTES, #files.read(path))
    return path
  end

  it("orders with a token that was pasted, and saves the video", function()
    local before = posts()
    local seen = play "postcard"
    assert.equal("> a kite_", seen.typed)
    assert.same({ "file://" .. is_saved(seen) }, seen.opened)
    assert.equal(before + 1, posts())
    assert.equal(TOKEN, files.read(data .. "/token.txt"))
    assert.is_nil(files.read(data .. "/order.txt"))
  end)

  it("goes on with its order when it is started again", function()
    local before = posts()
    play "postcard_left"
    assert.truthy(files.read(data .. "/order.txt"):find "^video_%x+$")
    is_saved(play "postcard_again")
    assert.equal(before + 1, posts())
    assert.is_nil(files.read(data .. "/order.txt"))
  end)

  it("goes on at F5 after Escape, and buys nothing", function()
    local before = posts()
    local seen = play "postcard_cancelled"
    assert.truthy(seen.told:find "^cancelled: ")
    is_saved(seen)
    assert.equal(before + 1, posts())
  end)

  it("shows why there will be no video, and forgets that order", function()
    local seen = play "postcard_failed"
    assert.truthy(seen.told:find "made no video")
    assert.is_nil(seen.again)
    assert.is_nil(files.read(data .. "/order.txt"))
  end)

  it("asks for another token where the gateway does not know it", function()
    is_saved(play "postcard_stranger")
    assert.equal(TOKEN, files.read(data .. "/token.txt"))
  end)
end)
