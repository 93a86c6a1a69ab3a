-- What a host may do once it has a client: enter another root, where no module is
-- found, use up its descriptors, or take `debug` away.

local c_locale = require "starvideos.base.c_locale"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local shell = require "starvideos.nginx.shell"

-- One program in a process of its own: it calls what a client can, and prints how
-- each call ended. `@before@` runs before the library is loaded, `@then@` once the
-- client is made.
local PROGRAM = [==[
@before@
local starvideos = require "starvideos"
local json = require "starvideos.base.json"
local answers = { POST = { id = "video_1", status = "queued" },
  GET = { id = "video_1", status = "failed", error = "too dark" } }
local client = assert(starvideos.new { api_key = "key", runtime = "@runtime@",
  base_url = "http://127.0.0.1:9", ledger = @ledger@,
  transport = @transport@ and function(req)
    return { status = 200, headers = {}, body = json.encode(answers[req.method]) }
  end or nil })
@then@
local params = { model = "videos", prompt = "a kite", duration = 5 }
local function call(name, ...)
  local arguments, result, err = { ... }, nil, nil
  local function run()
    return client[name](client, (table.unpack or unpack)(arguments))
  end
  if "@runtime@" == "frame" then
    local operation = client:async(run)
    client:run(60)
    result, err = operation.result, operation.err
  else
    result, err = run()
  end
  print(name .. ": " .. (result and "done" or tostring(err)))
end
@calls@
client:close()
]==]

local ALL = [[
call("create", params, { key = "a" })
call("query", "video_1")
call("wait", "video_1", { timeout = 5, first_poll = 0 })
call("order", "a")
call("pending")
call("resume")
call("enqueue", { { path = "@folder@/a.mp4", model = "videos", prompt = "x",
  duration = 5 } })
call("work", { interval = 0.1, max_interval = 0.2 })
call("status")
call("orders")
call("limits")
call("archive")
call("validate_all", { { path = "b.mp4", model = "videos", prompt = "x",
  duration = 5 } })]]

describe("once a client is made", function()
  local folder

  before_each(function()
    folder = files.folder()
  end)

  after_each(function()
    files.remove(folder)
  end)

  local function run(fields, before)
    local program = PROGRAM:gsub("@calls@", function() return fields.calls end)
    fields.before = fields.before or ""
    fields.folder = folder
    program = program:gsub("@(%l+)@", fields)
    files.write(folder .. "/program.lua", program)
    local command = ("%s cd '%s' && %s program.lua 2>&1"):format(before or "",
      folder, interpreter)
    local output = shell.read(command)
    assert.is_nil(output:find("not found", 1, true), output)
    return output .. "\n"
  end

  for _, runtime in ipairs { "block", "frame" } do
    it("no module is looked for any more, with " .. runtime, function()
      local output = run { runtime = runtime, ledger = '"l.db"',
        transport = "true", calls = ALL,
        ["then"] = 'package.path, package.cpath = "", ""' }
      for name in ("create query order pending resume enqueue work status orders"
        .. " limits archive validate_all"):gmatch "%S+" do
        assert.truthy(output:find(name .. ": done\n", 1, true), name)
      end
      assert.truthy(output:find("wait: task_failed: too dark\n", 1, true), output)
    end)

    it("a full table of descriptors is named as what it is, with " .. runtime,
      function()
        local output = run({ runtime = runtime, ledger = "nil",
          transport = "false", calls = [[
            call("create", params)
            call("query", "video_1")
            call("wait", "video_1", { timeout = 5, first_poll = 0 })
            call("download", { id = "v", status = "completed",
              video_url = "https://127.0.0.1:9/x" }, "@folder@/v.mp4")
            call("generate", params, { path = "@folder@/v.mp4" })]],
          ["then"] = [[
            local held = {}
            repeat
              held[#held + 1] = io.open "/dev/null"
            until #held == 0 or not io.open "/dev/null"]] }, "ulimit -n 40;")
        for name in ("create query wait download generate"):gmatch "%a+" do
          local line = output:match("%f[%a]" .. name .. ": ([^\n]*)") or output
          assert.equal("io", line:match "^%l+", output)
          assert.truthy(c_locale.lower(line):find("too many open files", 1, true), line)
        end
        assert.truthy(output:find("create: [^\n]*nothing was bought"), output)
      end)

    it("a state without debug will do, with " .. runtime, function()
      local output = run { runtime = runtime, ledger = '"l.db"',
        transport = "true", before = "debug = nil", ["then"] = "",
        calls = ALL }
      assert.truthy(output:find("create: done\n", 1, true), output)
      assert.truthy(output:find("work: done\n", 1, true), output)
    end)
  end
end)
