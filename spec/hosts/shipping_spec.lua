-- docs/shipping.md: its blocks are run as they are written.

local document = require "spec.fixtures.document"
local files = require "spec.fixtures.files"
local love = require "spec.fixtures.love"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local text = document.read "docs/shipping.md"

local function block(title, language, number)
  local found = {}
  for _, one in ipairs(document.blocks(text, language)) do
    if one.title == title then
      found[#found + 1] = one
    end
  end
  return assert(found[number or 1]).code
end

local function run(command, words)
  local output = shell.read("exec 2>&1; (" .. shell.fill(command, words or {})
    .. "); echo $?")
  return tonumber(output:match "(%d+)$"), output
end

local ROOT = shell.read "pwd"

-- What the game does after the lines of the page: it orders, and shows a video.
local ORDER = [[

function love.load()
  local box = require("starvideos.sandbox").new { seconds = 0 }
  local client = assert(starvideos.new { api_key = "sandbox-key",
    transport = box:transport() })
  assert(client:create { model = "videos", prompt = "A kitten", duration = 5 })
  assert(require("starvideos.curl").version())
  print("ordered " .. box:tasks().billed)
  local video = love.graphics.newVideo("city.ogv", { audio = false })
  print("shows " .. video:getWidth())
  love.event.quit()
end]]

-- What it does before them: LÖVE's own shows what went wrong until somebody ends it.
local FAULT = [[
function love.errorhandler(message)
  print("fault " .. tostring(message))
end
]]

describe("a game that brings the library along", function()
  local folder, from

  setup(function()
    folder = files.folder()
    from = folder .. "/from"
    -- A tree of its own, in which the page's commands leave what they make.
    local code, output = run([[mkdir @from@ && cd @from@ &&
      for part in Makefile bin csrc lua build; do ln -s @root@/$part .; done &&
      make() { :; } && ]] .. block("LÖVE", "sh", 1) .. [[

      cp "$(luajit -e 'print(package.searchpath("cjson", package.cpath))')" game/ &&
      cp lua/starvideos/sandbox/clip.mp4 city.mp4]],
      { from = from, root = ROOT })
    assert.equal(0, code, output)
    code, output = run("cd @from@ && "
      .. block("Showing the video in a game", "sh")
      .. "\nmv city.ogv game/lua/", { from = from })
    assert.equal(0, code, output)
    files.write(from .. "/game/lua/main.lua", FAULT .. block("LÖVE", "lua") .. ORDER)
    code, output = run("cd @from@ && set -e; " .. block("LÖVE", "sh", 2),
      { from = from })
    assert.equal(0, code, output)
  end)

  teardown(function()
    files.remove(folder)
  end)

  -- Of the environment it sees nothing of the tree's.
  local function play(game, path)
    return love.run(folder, ("../"):rep(20) .. game, { environment = {
      LUA_PATH = "/nowhere/?.lua", LUA_CPATH = "/nowhere/?.so", PATH = path } })
  end

  it("orders from a .love file, and shows a video", function()
    local well, printed = play(from .. "/game/game.love")
    assert.truthy(printed:find("ordered 1\nshows %d+"), printed)
    assert.is_true(well, printed)
  end)

  it("orders as a fused game", function()
    run("mkdir @from@/fused && cp -R @from@/game/* @from@/fused/ &&"
      .. " rm @from@/fused/game.love && mv @from@/fused/fused @from@/fused/love",
      { from = from })
    local _, printed = play(from .. "/fused", from .. "/fused:"
      .. os.getenv "PATH")
    assert.truthy(printed:find("ordered 1\nshows %d+"), printed)
  end)

  it("is told where a missing module was looked for, and what to do", function()
    run("mkdir @from@/bare && cp @from@/game/game.love @from@/game/cjson.so"
      .. " @from@/bare/", { from = from })
    local _, printed = play(from .. "/bare/game.love")
    assert.truthy(printed:find(from .. "/bare/starvideos/core.so", 1, true),
      printed)
    assert.truthy(printed:find("put it into one of these places", 1, true),
      printed)
  end)
end)

describe("OpenResty's folder", function()
  it("has all that nginx's Lua requires", function()
    local folder = files.folder()
    local command = block("OpenResty", "sh"):gsub("make install",
      "make -s install DESTDIR=@folder@")
    local code, output = run("unset MAKEFLAGS; " .. command, { folder = folder })
    assert.equal(0, code, output)
    local place = folder .. "/usr/local/openresty/site/lualib"
    code, output = run([[LUA_PATH=@path@ LUA_CPATH=@cpath@ luajit -e \
      'print(require("starvideos")._VERSION, require "starvideos.curl")']], {
      path = ("%s/?.lua;%s/?/init.lua"):format(place, place),
      cpath = place .. "/?.so;;" })
    files.remove(folder)
    assert.equal(0, code, output)
  end)
end)

describe("Neovim", function()
  it("is told of a video outside of the fast event", function()
    local folder = files.folder()
    local server = assert(nginx.start { seconds = 0.2, key = "key-of-the-spec",
      queued_seconds = 0.1, drawn = false })
    files.write(folder .. "/order.lua", block("Neovim", "lua") .. [[

vim.wait(30000, function() return vim.g.video ~= nil end, 20)
io.stdout:write(tostring(vim.g.video), "\n")
]])
    local code, output = run([[cd @folder@ && LUA_PATH=@path@ LUA_CPATH=@cpath@ \
      STARVIDEOS_API_KEY=key-of-the-spec STARVIDEOS_BASE_URL=@url@ \
      timeout 60 nvim --headless -u NONE -i NONE -c 'luafile order.lua' -c 'qa!']], {
      folder = folder, url = server.base_url,
      path = ("%s/lua/?.lua;%s/lua/?/init.lua;;"):format(ROOT, ROOT),
      cpath = ROOT .. "/build/luajit/?.so;;" })
    server:stop()
    files.remove(folder)
    assert.equal(0, code, output)
    assert.truthy(output:find "%.mp4\r?\n", output)
    assert.is_nil(output:find("E5560", 1, true), output)
  end)
end)
