-- What `make install` makes, and LuaRocks of the rockspec: built in a copy
-- that holds what the rock is made of and nothing else, installed into a tree
-- of its own.

local VERSION = _VERSION:match("%d%.%d")
local INTERPRETER = rawget(_G, "jit") and "luajit" or "lua" .. VERSION

-- Of the environment a command gets no more than a new shell would have.
local function run(command)
  local pipe = io.popen("unset LUA_PATH LUA_CPATH MAKEFLAGS MAKELEVEL; ("
    .. command .. ") 2>&1; echo $?")
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.-)(%d+)\n$")
  return tonumber(status), output
end

describe("the installed rock", function()
  local folder, status, output

  setup(function()
    folder = select(2, run "mktemp -d"):match("^%S+")
    status, output = run(("cp -R Makefile bin csrc lua rockspec %s && cd %s"
      .. " && luarocks --lua-version %s make --tree %s/tree"
      .. " rockspec/starvideos-scm-1.rockspec"):format(folder, folder, VERSION,
        folder))
  end)

  teardown(function()
    run("rm -rf " .. folder)
  end)

  local function lua(program)
    local file = assert(io.open(folder .. "/program.lua", "w"))
    file:write(program)
    file:close()
    local share = ("%s/tree/share/lua/%s"):format(folder, VERSION)
    return run(("cd / && LUA_PATH='%s/?.lua;%s/?/init.lua;;'"
      .. " LUA_CPATH='%s/tree/lib/lua/%s/?.so;;' %s %s/program.lua"):format(
        share, share, folder, VERSION, INTERPRETER, folder))
  end

  local function module_file(name)
    return ("%s/tree/lib/lua/%s/starvideos/%s.so"):format(folder, VERSION, name)
  end

  it("builds and installs with no extra variable", function()
    assert.equal(0, status, output)
  end)

  it("orders a video from the sandbox it brings along", function()
    local code, text = lua [[
      local box = require("starvideos.sandbox").new { seconds = 0 }
      local client = assert(require("starvideos").new {
        api_key = "sandbox-key", transport = box:transport(),
      })
      local task = assert(client:create {
        model = "videos", prompt = "A kitten in the grass", duration = 5,
      })
      assert(client:query(task.id))
      io.write("ordered ", box:tasks().billed, "\n")
    ]]
    assert.equal("ordered 1\n", text)
    assert.equal(0, code)
  end)

  it("loads the engine", function()
    local code, text = lua [[ print(require("starvideos.curl").version()) ]]
    assert.equal(0, code, text)
  end)

  it("has a command line that finds its modules unaided", function()
    local code, text = run("cd / && " .. folder .. "/tree/bin/starvideos --version")
    assert.equal(0, code, text)
    assert.match("%d+%.%d+%.%d+", text)
  end)

  it("has one that runs nothing of the folder that it is called in", function()
    run(("mkdir -p %s/here/luarocks && cd %s/here && ln -s ../tree/bin/starvideos link"
      .. " && for name in cjson argparse luarocks/loader; do echo 'os.exit(99)'"
      .. " > $name.lua; done"):format(folder, folder))
    for _, command in ipairs { "../tree/bin/starvideos", "./link",
      "LUA_PATH='?.lua;./?.lua;;' ../tree/bin/starvideos" } do
      local code, text = run(("cd %s/here && %s models"):format(folder, command))
      assert.equal(0, code, text)
    end
  end)

  it("brings the clip that the sandbox falls back on", function()
    assert.equal(0, (run(("test -s %s/tree/share/lua/%s/starvideos/sandbox"
      .. "/clip.mp4"):format(folder, VERSION))))
  end)

  it("brings the page of the gateway", function()
    for _, name in ipairs { "index.html", "style.css" } do
      assert.equal(0, (run(("test -s %s/tree/share/lua/%s/starvideos/gateway"
        .. "/page/%s"):format(folder, VERSION, name))), name)
    end
  end)

  it("brings what nginx is started with", function()
    for _, name in ipairs { "nginx/supervise.sh", "gateway/nginx.conf",
      "gateway/gateway.conf", "gateway/starvideos-gateway.service",
      "sandbox/nginx/sandbox.conf" } do
      assert.equal(0, (run(("test -s %s/tree/share/lua/%s/starvideos/%s")
        :format(folder, VERSION, name))), name)
    end
  end)

  it("links the core to nothing but libc", function()
    local _, text = run("readelf -d " .. module_file "core")
    for library in text:gmatch("NEEDED.-%[(.-)%]") do
      -- The loader, which knows the variables of each thread, is libc's own.
      assert.is_truthy(library:find "^libc%.so" or library:find "^ld%-linux",
        library)
    end
    assert.match("Dynamic section", text)
  end)

  for _, name in ipairs { "core", "curl" } do
    it("exports only the way into starvideos." .. name, function()
      local _, text = run("nm -D --defined-only " .. module_file(name))
      local symbols = {}
      for symbol in text:gmatch(" [%u] (%S+)") do
        symbols[#symbols + 1] = symbol
      end
      assert.same({ "luaopen_starvideos_" .. name }, symbols)
    end)
  end
end)

describe("what make install installs", function()
  local folder

  setup(function()
    folder = select(2, run "mktemp -d"):match("^%S+")
  end)

  teardown(function()
    run("rm -rf " .. folder)
  end)

  local function install(lua, settings)
    local code, text = run(("make -s install LUA=%s %s"):format(lua, settings))
    assert.equal(0, code, text)
  end

  it("runs from a prefix that no variable names", function()
    install("lua5.4", ("PREFIX='%s/a prefix'"):format(folder))
    local code, text = run(("cd / && '%s/a prefix/bin/starvideos' models")
      :format(folder))
    assert.equal(0, code, text)
    assert.match("videos_stable_fast", text)
  end)

  it("brings the manual page and completions for three shells", function()
    install("lua5.4", ("PREFIX='%s/a prefix'"):format(folder))
    for name, wanted in pairs { ["man/man1/starvideos.1"] = "%.SH EXIT STATUS",
      ["bash-completion/completions/starvideos"] = "complete %-F",
      ["zsh/site-functions/_starvideos"] = "^#compdef starvideos",
      ["fish/vendor_completions.d/starvideos.fish"] = "complete %-c" } do
      local code, text = run(("cat '%s/a prefix/share/%s'"):format(folder, name))
      assert.equal(0, code, name)
      assert.match(wanted, text)
    end
  end)

  it("ends as no failed task where it cannot be loaded", function()
    install("lua5.4", ("PREFIX='%s/a prefix'"):format(folder))
    for raised, wanted in pairs { ["interrupted!"] = { 130, "interrupted" },
      ["no such module"] = { 2, "no such module" } } do
      local code, text = run(([[LUA_INIT='package.preload["starvideos.cli"] =
        function() error("%s", 0) end' '%s/a prefix/bin/starvideos' models]]):format(
        raised, folder))
      assert.equal(wanted[1], code, text)
      assert.truthy(text:find("starvideos: " .. wanted[2]
        .. "; nothing was sent", 1, true), text)
    end
  end)

  it("looks where it will stand, not where it was put together", function()
    install("lua5.4", ("PREFIX=/opt/videos DESTDIR=%s/staged"):format(folder))
    local _, text = run(("cat %s/staged/opt/videos/bin/starvideos"):format(
      folder))
    assert.match("[/opt/videos/share/lua/5.4]", text, 1, true)
    assert.is_nil(text:find(folder, 1, true))
  end)

  it("is removed by make uninstall, and nothing of others", function()
    local prefix = folder .. "/a removed prefix"
    local place = ("PREFIX=/opt DESTDIR='%s'"):format(prefix)
    install("lua5.4", place)
    local _, put = run(("cd '%s' && find . -type f"):format(prefix))
    assert.truthy(put:find("./opt/share/man/man1/starvideos.1", 1, true), put)
    run(([[cd '%s/opt/share' && echo >lua/5.4/starvideos/base/mine.lua
      echo >man/man1/other.1]]):format(prefix))
    local code, text = run("make -s uninstall LUA=lua5.4 " .. place)
    assert.equal(0, code, text)
    assert.equal("", text)
    local _, left = run(("cd '%s' && find . -print | LC_ALL=C sort"):format(prefix))
    assert.equal([[
.
./opt
./opt/bin
./opt/lib
./opt/share
./opt/share/lua
./opt/share/lua/5.4
./opt/share/lua/5.4/starvideos
./opt/share/lua/5.4/starvideos/base
./opt/share/lua/5.4/starvideos/base/mine.lua
./opt/share/man
./opt/share/man/man1
./opt/share/man/man1/other.1
]], left)
  end)

  it("keeps its command where another Lua's is removed", function()
    local place = ("PREFIX='%s/two'"):format(folder)
    install("lua5.3", place)
    install("lua5.4", place)
    run("make -s uninstall LUA=lua5.3 " .. place)
    local code, text = run(("cd / && '%s/two/bin/starvideos' models"):format(folder))
    assert.equal(0, code, text)
  end)

  it("is not needed to run what was built", function()
    local code, text = run("here=$PWD && cd / && $here/build/" .. INTERPRETER
      .. "/bin/starvideos models")
    assert.equal(0, code, text)
  end)

  -- Both look into lib/lua/5.1: what was installed last took the other's place.
  for _, order in ipairs { "lua5.1 luajit", "luajit lua5.1" } do
    it("serves Lua 5.1 and LuaJIT alike, installed as " .. order, function()
      for lua in order:gmatch "%S+" do
        install(lua, ("PREFIX=%s/both"):format(folder))
      end
      for lua in order:gmatch "%S+" do
        local code, text = run(([[cd / && LUA_CPATH='%s/both/lib/lua/5.1/?.so' \
          %s -e 'print(require "starvideos.core", require "starvideos.curl")' ]])
          :format(folder, lua))
        assert.equal(0, code, text)
      end
    end)
  end
end)
