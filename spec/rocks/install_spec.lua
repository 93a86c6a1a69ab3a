-- The release as LuaRocks has it: made in its tree, packed, and installed from a
-- server that has it and what it depends on, beside no module of the system's.

local files = require "spec.fixtures.files"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local VERSION = starvideos._VERSION
local ROCK = ("starvideos-%s-1"):format(VERSION)
local ROOT = shell.read "pwd"

-- Of the environment a command gets what a new shell would have.
local function run(command, words)
  local pipe = io.popen("exec 2>&1; unset LUA_PATH LUA_CPATH MAKEFLAGS MAKELEVEL; ("
    .. shell.fill(command, words) .. "); echo $?")
  local text = pipe:read "*a"
  pipe:close()
  local output, status = text:match "^(.-)(%d+)\n$"
  return tonumber(status), output
end

describe("the release", function()
  local folder, copy

  setup(function()
    folder = files.folder()
    copy = folder .. "/starvideos-" .. VERSION
    local code, text = run("spec/rocks/server.sh FILES", {})
    assert.equal(0, code, text)
    code, text = run("tar -xf @root@/build/rocks-sources/dist/@name@.tar.gz -C @folder@",
      { root = ROOT, name = "starvideos-" .. VERSION, folder = folder })
    assert.equal(0, code, text)
  end)

  teardown(function()
    files.remove(folder)
  end)

  -- A program of Lua 5.4 that sees the modules of a tree alone.
  local function lua(tree, program)
    files.write(folder .. "/program.lua", program)
    return run([[cd / && LUA_PATH=@path@ LUA_CPATH=@cpath@ \
      lua5.4 @folder@/program.lua]], {
      path = ("%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua"):format(tree,
        tree), cpath = tree .. "/lib/lua/5.4/?.so", folder = folder })
  end

  local function exported(tree, name)
    local text = shell.read(shell.fill("nm -D --defined-only @file@",
      { file = ("%s/starvideos/%s.so"):format(tree, name) }))
    return text:match "^%x+ T (%S+)$" or text
  end

  describe("from a rocks server", function()
    local tree, code, text

    setup(function()
      tree = folder .. "/installed"
      code, text = run([[cd / && luarocks --lua-version 5.4 install \
        --only-server @server@ --tree @tree@ starvideos]],
        { server = ROOT .. "/build/rocks-server", tree = tree })
    end)

    it("is installed with what it needs", function()
      assert.equal(0, code, text)
      for _, name in ipairs { "starvideos", "lua-cjson", "argparse" } do
        assert.truthy(text:find("Installing [^\n]*/" .. name:gsub("%-", "%%-")),
          text)
      end
    end)

    it("says for which Lua it is built, and how for another", function()
      assert.truthy(text:find("Building starvideos for Lua 5.4; for another one:"
        .. " luarocks --lua-version", 1, true), text)
    end)

    it("orders a video from the sandbox in the process", function()
      local status, output = lua(tree, [[
        assert(not package.path:find "/usr/")
        local box = require("starvideos.sandbox").new { seconds = 0 }
        local client = assert(require("starvideos").new {
          api_key = "sandbox-key", transport = box:transport(),
        })
        local task = assert(client:create {
          model = "videos", prompt = "A kitten in the grass", duration = 5,
        })
        assert(client:query(task.id))
        assert(require("starvideos.curl").version())
        io.write("ordered ", box:tasks().billed, "\n")
      ]])
      assert.equal("ordered 1\n", output)
      assert.equal(0, status)
    end)

    it("has the command", function()
      local status, output = run([[cd / && @tree@/bin/starvideos --version &&
        @tree@/bin/starvideos models]], { tree = tree })
      assert.equal(0, status, output)
      assert.equal("starvideos " .. VERSION, output:match "^[^\n]*")
      assert.truthy(output:find("videos_stable_fast", 1, true), output)
    end)

    it("has every file of the tree, and exports what make's has", function()
      local code_of, output = run([[cd @root@/lua &&
        diff -r starvideos @tree@/share/lua/5.4/starvideos]],
        { root = ROOT, tree = tree })
      assert.equal(0, code_of, output)
      for _, name in ipairs { "core", "curl" } do
        assert.equal("luaopen_starvideos_" .. name,
          exported(tree .. "/lib/lua/5.4", name))
        assert.equal(exported("build/lua5.4", name),
          exported(tree .. "/lib/lua/5.4", name))
      end
    end)

    it("is removed whole", function()
      local status, output = run([[luarocks --lua-version 5.4 --tree @tree@ remove \
        starvideos && cd @tree@ && find . -path '*starvideos*']], { tree = tree })
      assert.equal(0, status, output)
      assert.truthy(output:find "Removal successful", output)
      assert.is_nil(output:find("./", 1, true), output)
    end)
  end)

  it("is made and packed in its tree", function()
    local status, output = run([[cd @copy@ && luarocks --lua-version 5.1 make \
      --deps-mode none --tree @tree@ rockspec/@rock@.rockspec &&
      cd @folder@ && luarocks --lua-version 5.1 --tree @tree@ pack starvideos]],
      { copy = copy, tree = folder .. "/made", folder = folder, rock = ROCK })
    assert.equal(0, status, output)
    assert.truthy(output:find("for Lua 5.1; for another", 1, true), output)
    assert.truthy(shell.read("ls " .. folder):find(ROCK .. ".linux-", 1, true))
  end)

  it("is not built with another Lua's headers, and says what to do", function()
    local status, output = run([[cd @copy@ && luarocks --lua-version 5.3 make \
      --deps-mode none --tree @tree@ rockspec/@rock@.rockspec \
      LUA_INCDIR=/usr/include/lua5.4]],
      { copy = copy, tree = folder .. "/wrong", rock = ROCK })
    assert.not_equal(0, status)
    assert.truthy(output:find("Lua header mismatches", 1, true), output)
    assert.truthy(output:find("LUA_INCDIR", 1, true), output)
  end)

  it("is the same archive whenever one commit makes it", function()
    local status, output = run([[cd @root@ && git rev-parse -q --verify HEAD >/dev/null &&
      cp "$(make -s dist)" @folder@/first && sleep 0 && touch README.md &&
      cmp "$(make -s dist)" @folder@/first]], { root = ROOT, folder = folder })
    assert.equal(0, status, output)
  end)

  it("builds and passes the unit specs out of its archive", function()
    local status, output = run([[cd @copy@ && make -s build LUA=lua5.4 &&
      JOBS=2 lua5.4 spec/run.lua unit:lua5.4]], { copy = copy })
    assert.equal(0, status, output:sub(-3000))
    assert.truthy(output:find "[1-9]%d+ passed, 0 failed", output:sub(-3000))
  end)
end)
