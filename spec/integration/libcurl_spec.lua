-- Which libcurl the library takes: one from 7.81 on, of the headers and of what
-- is loaded.

local VERSION = _VERSION:match "%d%.%d"
local INTERPRETER = rawget(_G, "jit") and "luajit" or "lua" .. VERSION

local function run(command)
  local pipe = io.popen("(" .. command .. ") 2>&1; echo $?")
  local text = pipe:read "*a"
  pipe:close()
  local output, status = text:match "^(.-)(%d+)\n$"
  return tonumber(status), output
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  file:close()
end

describe("a libcurl older than 7.81", function()
  local folder

  setup(function()
    folder = select(2, run "mktemp -d"):match "^%S+"
  end)

  teardown(function()
    run("rm -rf " .. folder)
  end)

  it("is refused by the build, in a sentence", function()
    run("mkdir " .. folder .. "/curl")
    write(folder .. "/curl/curl.h", "#define LIBCURL_VERSION_NUM 0x075000\n")
    local status, output = run(("gcc -fsyntax-only -Icsrc -I%s"
      .. " csrc/http/libcurl.c"):format(folder))
    assert.is_true(status > 0)
    assert.truthy(output:find("starvideos needs libcurl 7.81 or newer", 1, true),
      output)
  end)

  -- A Lua whose libcurl says that it is of another version.
  local function lua(version, number, program)
    write(folder .. "/version.c", ([[
      #include <curl/curl.h>
      static curl_version_info_data told = {
        .age = CURLVERSION_FIRST, .version = "%s", .version_num = %s};
      curl_version_info_data *curl_version_info(CURLversion age) {
        return (void)age, &told;
      }]]):format(version, number))
    write(folder .. "/program.lua", program)
    local status, output = run(("cd %s && gcc -shared -fPIC"
      .. " $(pkg-config --cflags libcurl) -o version.so version.c")
      :format(folder))
    assert.equal(0, status, output)
    return run(("LD_PRELOAD=%s/version.so %s %s/program.lua"):format(folder,
      INTERPRETER, folder))
  end

  local CREATE = [[
    local client = assert(require("starvideos").new { api_key = "key",
      base_url = "http://127.0.0.1:9", ledger = ":memory:" })
    print(client:create { model = "videos", prompt = "A kite", duration = 5 })
  ]]

  it("is refused when it is loaded, before anything is sent", function()
    local status, output = lua("7.80.0", "0x075000", CREATE)
    assert.equal(1, status)
    assert.truthy(output:find("the libcurl that was loaded is 7.80.0, and"
      .. " starvideos needs 7.81 or newer", 1, true), output)
    assert.truthy(output:find("nothing was sent", 1, true))
  end)

  it("is refused by a client of another runtime when it is made", function()
    local status, output = lua("7.80.0", "0x075000", [[
      require("starvideos").new { api_key = "key", runtime = "poll" }
    ]])
    assert.equal(1, status)
    assert.truthy(output:find("needs 7.81 or newer", 1, true), output)
  end)

  it("is not asked for by whoever sends nothing", function()
    local status, output = lua("7.80.0", "0x075000", [[
      local client = assert(require("starvideos").new {})
      print(#client:models() > 0)
    ]])
    assert.equal("true\n", output)
    assert.equal(0, status)
  end)

  it("begins below 7.81", function()
    local status, output = lua("7.81.0", "0x075100",
      [[print(require("starvideos.curl").version() ~= nil)]])
    assert.equal("true\n", output)
    assert.equal(0, status)
  end)
end)
