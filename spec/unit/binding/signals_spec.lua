-- What the library does to the signals and descriptors of its host: nothing.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local databases = require "starvideos.ledger.database"
local files = require "spec.fixtures.files"
local LUA = require "spec.fixtures.interpreter"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"

local PIPE, XFSZ = 13, 25
local TEXT = ("x"):rep(8192)

describe("a host's", function()
  local folder

  before_each(function() folder = files.folder() end)
  after_each(function() files.remove(folder) end)

  -- Calls that write on the host's thread beyond what a file may grow to.
  local writes = {
    ["a job of the disk"] = function(path)
      return curl.disk("write", path, TEXT, "wb")
    end,
    ["a job that appends"] = function(path)
      curl.disk("write", path, "x", "wb")
      return curl.disk("write", path, TEXT, "ab")
    end,
    ["a file of the core's"] = function(path)
      return core.open(path, "wb"):write(TEXT)
    end,
    ["a file of Lua's within the guard"] = function(path)
      local file = io.open(path, "wb")
      file:setvbuf "no"
      return core.with_signals_held(file.write, file, TEXT)
    end,
    ["the runtime without libcurl"] = function(path)
      return core.disk("write", path, TEXT, "wb")
    end,
  }

  local function dispositions()
    local status = files.read "/proc/self/status"
    return { status:match "SigPnd:%s+(%x+)", status:match "SigBlk:%s+(%x+)",
      status:match "SigIgn:%s+(%x+)", status:match "SigCgt:%s+(%x+)" }
  end

  for name, write in pairs(writes) do
    it("life is not ended by SIGXFSZ, nor its signals changed: " .. name, function()
      assert.is_true(process.in_child(function()
        process.limit_files(4096)
        local before = dispositions()
        local ok, problem = write(folder .. "/file")
        local after = dispositions()
        for index, digits in ipairs(before) do
          assert(after[index] == digits, "changed")
        end
        return ok == nil and problem ~= nil
      end))
    end)

    it("signals that were pending before still are: " .. name, function()
      assert.is_true(process.in_child(function()
        for _, number in ipairs { PIPE, XFSZ } do
          process.block(number)
          process.kill(core.process_id(), number)
        end
        process.limit_files(4096)
        write(folder .. "/file")
        return process.is_pending(PIPE) and process.is_pending(XFSZ)
      end))
    end)

    it("blocked signals get nothing that is ours: " .. name, function()
      assert.is_true(process.in_child(function()
        process.block(PIPE)
        process.block(XFSZ)
        process.limit_files(4096)
        write(folder .. "/file")
        return not process.is_pending(PIPE) and not process.is_pending(XFSZ)
      end))
    end)
  end

  -- What SQLite has in its log it writes to the file of the database then.
  it("life is not ended by SIGXFSZ where the collector closes a ledger", function()
    assert.is_true(process.in_child(function()
      local database = databases.new(folder .. "/ledger.db")
      assert(database:run "CREATE TABLE texts (text TEXT)")
      for _ = 1, 20 do
        assert(database:run("INSERT INTO texts VALUES (?)", TEXT))
      end
      process.limit_files(4096)
      local connection = setmetatable({ database.connection }, { __mode = "v" })
      database = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      return connection[1] == nil
    end))
  end)

  it("signal of another process arrives once the call is over", function()
    for _, number in ipairs { PIPE, XFSZ } do
      local child = process.start(function()
        core.with_signals_held(os.execute, ("kill -%d $PPID"):format(number))
        return true
      end)
      local code
      repeat
        code = process.ended(child)
      until code
      assert.equal(128 + number, code)
    end
  end)

  it("mask is the old one after an error", function()
    local before = dispositions()
    assert.has_error(function() core.with_signals_held(error, "mine", 0) end, "mine")
    assert.same(before, dispositions())
  end)

  it("life does not depend on who reads the report of a listener", function()
    assert.equal("alive\n", shell.read(shell.fill([[{ @lua@ -e '
      local listener = require "starvideos.base.listener"
      local context = { told = {}, wall_clock = os.time, runtime = {} }
      os.execute "sleep 0.1"
      for index = 1, 3 do
        listener.tell(context, "on_progress" .. index, function() error "x" end)
      end
      io.stderr:close()
      listener.tell(context, "on_done", function() error "x" end)
      io.open("@out@", "w"):write "alive\n"' 2>&1 | true; }; cat @out@]],
      { lua = LUA, out = folder .. "/out" })) .. "\n")
  end)

  it("missing descriptors are given to no connection, pipe or file", function()
    for _, gap in ipairs { "<&-", ">&-", "2>&-", "<&- >&- 2>&-" } do
      shell.run(shell.fill([[@lua@ -e '
        local curl = require "starvideos.curl"
        local engine = curl.network { inline = true }
        engine:submit { method = "GET", url = "http://127.0.0.1:1/", timeout = 5 }
        local driver = curl.network and curl.network {}
        local file = require("starvideos.core").open("@file@", "wb")
        print "who reads this?"
        io.stderr:write "or this?"
        os.execute("ls -l /proc/$PPID/fd >@out@")' >/dev/null 2>&1 ]] .. gap, { lua = LUA,
        out = folder .. "/out", file = folder .. "/file" }))
      local seen = files.read(folder .. "/out")
      for number = 0, 2 do
        local target = seen:match((" %d %%-> (%%S+)"):format(number))
        assert.truthy(target, seen)
        assert.is_nil(target:find "^socket", seen)
        assert.is_nil(target:find("/file", 1, true), seen)
      end
      assert.equal("", files.read(folder .. "/file"))
    end
  end)
end)
