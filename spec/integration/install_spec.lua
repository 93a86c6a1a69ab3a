-- What LuaRocks makes of the rockspec: built in a copy that holds what the
-- rock is made of and nothing else, installed into a tree of its own.

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
    status, output = run(("cp -R Makefile csrc lua rockspec %s && cd %s"
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

  it("has a command line that finds its modules by itself", function()
    local code, text = run("cd / && " .. folder .. "/tree/bin/starvideos --version")
    assert.equal(0, code, text)
    assert.match("%d+%.%d+%.%d+", text)
  end)

  it("brings the clip that the sandbox falls back on", function()
    assert.equal(0, (run(("test -s %s/tree/share/lua/%s/starvideos/sandbox"
      .. "/clip.mp4"):format(folder, VERSION))))
  end)

  it("links the core to nothing but libc", function()
    local _, text = run("readelf -d " .. module_file "core")
    for library in text:gmatch("NEEDED.-%[(.-)%]") do
      assert.match("^libc%.so", library)
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
