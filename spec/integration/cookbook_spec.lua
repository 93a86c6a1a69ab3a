-- Every recipe of the cookbook does what it says, as it is written there. What only
-- the machine of a reader can have is replaced: the port, the address of a database,
-- the file of an authority.

local document = require "spec.fixtures.document"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local kitchens = require "spec.fixtures.kitchen"
local love = require "spec.fixtures.love"
local postgres = require "spec.fixtures.postgres"
local servers = require "spec.fixtures.nginx"
local shell = require "starvideos.nginx.shell"

local recipes = {}
for _, block in ipairs(document.blocks(document.read "docs/cookbook.md")) do
  recipes[block.title] = recipes[block.title] or {}
  table.insert(recipes[block.title], block)
end
local tried = {}

-- Where C modules for nginx's Lua are.
local function for_luajit()
  return servers.built():gsub("starvideos$", "?.so;;")
end

-- A game of which a hand closes the window once its video is saved.
local HAND = [[
dofile(%q)
local update, seconds = love.update, 0
function love.update(delta)
  update(delta)
  seconds = seconds + delta
  if seconds > 20 or love.filesystem.getInfo "videos/kitten.mp4" then
    love.event.quit()
  end
end]]

-- What the text around a program has said before, and the provider that is ours.
local SETTING = [[
starvideos = require "starvideos"
assert = starvideos.assert
key = os.getenv "STARVIDEOS_API_KEY"
token = key
params = { model = "videos", prompt = "A kitten", duration = 5 }
local new = starvideos.new
function starvideos.new(options)
  if not options.transport then
    options.base_url = os.getenv "STARVIDEOS_BASE_URL"
  end
  return new(options)
end
]]
local OWN_SPEC = { ["docs/cookbook.md"] = true,
  ["docs/many-videos.md"] = true }

describe("the cookbook", function()
  local kitchen

  local function open(options)
    kitchen = kitchens.new(options)
  end

  after_each(function()
    kitchen:close()
  end)

  -- Puts the files of a recipe in their places and runs what is to be run.
  local function cook(title, places, cpath)
    local commands = {}
    tried[title] = true
    for _, block in ipairs(assert(recipes[title], title)) do
      local code = block.code:gsub("127%.0%.0%.1:8080",
        "127.0.0.1:" .. kitchen.port)
      for place, value in pairs(places or {}) do
        local first, last = code:find(place, 1, true)
        code = first and code:sub(1, first - 1) .. value .. code:sub(last + 1)
          or code
      end
      if block.language == "sh" then
        commands[#commands + 1] = code
      else
        kitchen:write(block.name or "program.lua", code)
      end
    end
    return kitchen:run(#commands > 0 and table.concat(commands, "\n")
      or "lua program.lua", cpath)
  end

  it("makes one video", function()
    open()
    local output, well = cook "One video to a file"
    assert.is_true(well, output)
    assert.matches("completed.*saved\tkitten.mp4\t%d+", output)
    assert.is_true(kitchen:has_video "kitten.mp4")
    assert.equal(1, kitchen:books().posts)
  end)

  it("makes videos from images", function()
    open()
    local output, well = cook "From images"
    assert.is_true(well, output)
    assert.is_true(kitchen:has_video "door.mp4")
    assert.is_true(kitchen:has_video "cat.mp4")
  end)

  it("makes a list of videos below a cap", function()
    open()
    local title = "A list, with a cap on what is spent"
    local output, well = cook(title)
    assert.is_true(well, output)
    assert.is_true(kitchen:has_video "videos/scene/01.mp4")
    output, well = cook(title)
    assert.is_true(well, output)
    assert.equal(2, kitchen:books().posts)
  end)

  it("makes several at once", function()
    open()
    local output, well = cook "Several at once"
    assert.is_true(well, output)
    for _, animal in ipairs { "kitten", "puppy", "foal" } do
      assert.matches(animal .. ".mp4\t%d+", output)
      assert.is_true(kitchen:has_video(animal .. ".mp4"))
    end
  end)

  it("pays once over restarts", function()
    open()
    local first = cook "Never pay twice"
    local second, well = cook "Never pay twice"
    assert.is_true(well, second)
    assert.equal(first, second)
    assert.equal(1, kitchen:books().posts)
  end)

  it("goes on after a crash", function()
    open()
    local output, well = cook "Go on after a crash"
    assert.is_true(well, output)
    assert.is_true(kitchen:has_video "videos/scene-12.mp4")
    assert.equal(1, kitchen:books().posts)
  end)

  it("cancels, and times out", function()
    open()
    local output, well = cook "Cancel, and time out"
    assert.is_true(well, output)
    assert.equal("timeout\ttrue\ncancelled\ttrue\n", output)
    assert.equal(1, kitchen:books().posts)
  end)

  it("explains errors by their kinds", function()
    open()
    local output, well = cook "Errors by kind"
    assert.is_true(well, output)
    local lines = {}
    for line in output:gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    assert.equal("ordered", lines[1])
    assert.matches("^not sent: prompt, ", lines[2])
    assert.matches("^not bought, try again in 3%d%d%d", lines[3])
    assert.matches("^maybe bought", lines[4])
    assert.matches("^not bought: ", lines[5])
  end)

  it("draws a game while its video is made", function()
    open()
    local title = "A game with a progress bar"
    tried[title] = true
    kitchen:write("recipe.lua", recipes[title][1].code)
    kitchen:write("main.lua", HAND:format(kitchen.folder .. "/recipe.lua"))
    local well, printed = love.run(kitchen.folder, kitchen.folder, {
      environment = { STARVIDEOS_API_KEY = kitchen.provider.key,
        STARVIDEOS_BASE_URL = kitchen.provider.base_url,
        LUA_PATH = kitchen:lua_path() } })
    assert.is_true(well, printed)
    assert.equal(1, kitchen:books().posts, printed)
    local saved = shell.read("find " .. kitchen.folder
      .. "/data -name kitten.mp4")
    assert.equal("ftyp", files.read(saved):sub(5, 8))
  end)

  it("lets a loop tick while a video is made", function()
    open()
    local output, well = cook "In an event loop"
    assert.is_true(well, output)
    assert.equal("saved kitten.mp4\ttrue\n", output)
    assert.is_true(kitchen:has_video "kitten.mp4")
  end)

  it("orders and asks in nginx", function()
    open()
    local output, well = cook("A location of nginx", nil, for_luajit())
    assert.is_true(well, output)
    assert.equal(1, kitchen:books().posts, output)
    local status = output:match "%l+" -- however fast the two commands follow
    assert.is_true(status == "queued" or status == "processing"
      or status == "completed", output)
  end)

  it("tests a program without a network", function()
    open()
    local output, well = cook "Tests without a network"
    assert.is_true(well, output)
    assert.equal("all is well\n", output)
    assert.equal(0, kitchen:books().posts)
  end)

  it("checks and prices a model of the reader's", function()
    open()
    local output, well = cook "A model of your own, and its price"
    assert.is_true(well, output)
    assert.matches("^5.5\tUSD\n", output)
    assert.matches("duration", output)
    assert.matches("ratio", output)
  end)

  it("trusts an authority, and uses no proxy for this machine", function()
    open { tls = true }
    local title = "Behind a proxy, with an authority of your own"
    local output, well = cook(title, {
      ["/etc/ssl/company.pem"] = kitchen.provider.ca_file })
    assert.is_true(well, output)
    assert.is_true(kitchen:has_video "kitten.mp4")
  end)

  it("logs and counts", function()
    open()
    local output, well = cook "Logs and metrics"
    assert.is_true(well, output)
    assert.matches("scene%-12\taccepted\t", output)
    assert.matches("scene%-12\tdownloaded\t", output)
    assert.matches("1 create, 1 download, 0 failed\n$", output)
  end)

  it("tells a hook of each video", function()
    open()
    local hook = servers.start { body = [[
      location = /done { content_by_lua_block {
        ngx.req.read_body()
        ngx.shared.seen:set("body", ngx.req.get_body_data())
      } }
      location = /seen { content_by_lua_block {
        ngx.print(ngx.shared.seen:get "body" or "{}")
      } }]] }
    finally(function() hook:stop() end)
    kitchen.port = hook.port
    local output, well = cook "Tell somebody when it is done"
    assert.is_true(well, output)
    local said = assert(json.decode((kitchen:run("curl -s " .. hook.url
      .. "/seen"))))
    assert.equal("kitten.mp4", said.key)
    assert.matches("/kitten.mp4$", said.path)
  end)

  it("shares a queue between workers", function()
    open()
    local server = postgres.start()
    finally(function() server:stop() end)
    local output, well = cook("Many machines", {
      ["postgres://films@db.example/films"] = "'" .. server.url .. "'" })
    assert.is_true(well, output)
    assert.is_true(kitchen:has_video "videos/a.mp4")
    assert.is_true(kitchen:has_video "videos/b.mp4")
    assert.equal(2, kitchen:books().posts)
  end)

  it("makes the video of the README's scripts", function()
    open()
    for _, block in ipairs(document.blocks(document.read "README.md",
      "lua")) do
      if block.title == "The first script" then
        kitchen:write("program.lua", block.code)
        local output, well = kitchen:run "lua program.lua"
        assert.is_true(well, output)
      end
    end
    assert.is_true(kitchen:has_video "kitten.mp4")
    assert.is_true(kitchen:has_video "scene-12.mp4")
    assert.equal(2, kitchen:books().posts)
  end)

  -- What a host alone has; the hosts' own specs try such programs.
  local function needs_host(code)
    return code:find "love%." or code:find "ngx%." or code:find "vim%."
  end

  it("is not alone: the programs of other pages run, too", function()
    open()
    local count = 0
    for _, path in ipairs(document.pages()) do
      for _, block in ipairs(OWN_SPEC[path] and {}
        or document.blocks(document.read(path), "lua")) do
        if not needs_host(block.code) then
          kitchen:write("program.lua", SETTING .. block.code)
          local output, well = kitchen:run [[rm -f *.mp4 videos.db*
            lua program.lua]]
          assert.is_true(well, path .. ": " .. output)
          count = count + 1
        end
      end
    end
    assert.is_true(count >= 8)
  end)

  it("has no other recipe, but for one that spec/clients tries", function()
    open()
    tried["OpenAI's client, through a gateway"] = true
    for title in pairs(recipes) do
      assert.is_true(tried[title], title)
    end
  end)
end)
