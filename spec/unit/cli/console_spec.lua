local command = require "spec.fixtures.command"
local consoles = require "starvideos.cli.console"
local core = require "starvideos.core"
local events = require "starvideos.events"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local shell = require "starvideos.nginx.shell"

local LUA = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
local RUNNING = '{"id":"video_1","status":"processing"}'

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  return lines
end

describe("the log of events", function()
  local folder, path, complaints

  local function complain(why)
    complaints[#complaints + 1] = why
  end

  before_each(function()
    folder, complaints = files.folder(), {}
    path = folder .. "/events.jsonl"
  end)
  after_each(function()
    files.remove(folder)
  end)

  it("has a line of JSON for each, the fields in the order of the table",
    function()
      assert.equal('{"at":1.5,"name":"exchange","operation":"query",'
        .. '"task_id":"video_1","method":"GET","url":"https://a/b",'
        .. '"status":200,"elapsed":0.25}', consoles.log_line { name = "exchange",
        status = 200, url = "https://a/b", at = 1.5, elapsed = 0.25,
        task_id = "video_1", method = "GET", operation = "query" })
      for _, row in ipairs(events.list) do
        local event, wanted = { name = row[1], at = 1 }, { "at", "name" }
        for _, field in ipairs(row[3]) do
          event[field[1]] = field[2] == "string" and "x" or 1
          wanted[#wanted + 1] = field[1]
        end
        local names = {}
        for name in consoles.log_line(event):gmatch '"([%w_]+)":' do
          names[#names + 1] = name
        end
        assert.same(wanted, names)
      end
    end)

  it("has times to the microsecond", function()
    assert.equal('{"at":1795376301.401166,"name":"order","elapsed":0.040356}',
      consoles.log_line { name = "order", at = 1795376301.4011655,
        elapsed = 0.040355682373046875 })
  end)

  it("is JSON whatever a text holds", function()
    local line = consoles.log_line { name = "ledger", at = 1, failure = 'a"\n\255\0' }
    assert.equal('a"\n\\xFF\\x00', json.decode(line).failure)
    assert.is_nil(line:find "\n")
    line = consoles.log_line { name = "ledger", failure = "\27[2J\194\1552J\226\128\174" }
    assert.equal('{"at":null,"name":"ledger","failure":"\\u001b[2J\\u009b2J\\u202e"}',
      line)
    assert.equal('{"at":null,"name":"ledger"}', consoles.log_line { name = "ledger",
      at = 0 / 0 })
  end)

  it("is appended to, and begun again where it was moved away", function()
    local write = consoles.log(path, complain)
    write { name = "ledger", at = 1 }
    assert(os.rename(path, path .. ".1"))
    write { name = "ledger", at = 2 }
    consoles.log(path, complain) { name = "ledger", at = 3 }
    assert.same({ '{"at":1,"name":"ledger"}' }, lines_of(path .. ".1"))
    assert.same({ '{"at":2,"name":"ledger"}', '{"at":3,"name":"ledger"}' },
      lines_of(path))
    assert.same({}, complaints)
  end)

  it("has one line for polls that changed nothing, and loses none", function()
    local function poll(task, at, more)
      local event = { name = "exchange", operation = "query", task_id = task, at = at,
        method = "GET", url = "https://api.test/" .. task, status = 200 }
      for name, value in pairs(more or {}) do
        event[name] = value
      end
      return event
    end
    local write, finish = consoles.log(path, complain)
    for at = 1, 50 do
      write(poll("a", at))
      write(poll("b", at))
    end
    assert.equal(2, #lines_of(path))
    write(poll("a", 51, { status = 502 }))
    write(poll("a", 52))
    write { name = "order", at = 53, task_id = "a", state = "completed" }
    write(poll("a", 54))
    finish()
    local told = {}
    for index, line in ipairs(lines_of(path)) do
      local event = json.decode(line)
      told[index] = ("%s %s %s"):format(event.task_id, math.floor(event.at), event.polls
        and math.floor(event.polls) or event.state or event.status)
    end
    assert.same({ "a 1 200", "b 1 200", "a 50 49", "a 51 502", "a 52 200",
      "a 53 completed", "a 54 200", "b 50 49" }, told)
  end)

  it("tells once that it cannot be written, and is written once it can",
    function()
      local write = consoles.log(folder .. "/none/events.jsonl", complain)
      write { name = "ledger", at = 1 }
      write { name = "ledger", at = 2 }
      assert.equal(1, #complaints)
      assert.truthy(complaints[1]:find("No such file", 1, true))
      shell.run("mkdir " .. folder .. "/none")
      write { name = "ledger", at = 3 }
      assert.equal('{"at":3,"name":"ledger"}',
        lines_of(folder .. "/none/events.jsonl")[2])
    end)

  it("begins a line of its own where a full disk has cut one", function()
    local open, is_full = core.open, true
    core.open = function(...)
      local file = open(...)
      return {
        close = function() return file:close() end,
        write = function(_, text)
          if is_full and text ~= "" then
            file:write(text:sub(1, 5))
            return nil, "No space left on device"
          end
          return file:write(text)
        end }
    end
    finally(function()
      core.open = open
    end)
    local write = consoles.log(path, complain)
    write { name = "ledger", at = 1 }
    is_full = false
    write { name = "ledger", at = 2 }
    core.open = open
    assert.same({ "No space left on device" }, complaints)
    assert.same({ '{"at"', '{"at":2,"name":"ledger"}' }, lines_of(path))
  end)

  it("has whole lines where several processes write to it", function()
    local program = ("local write = require('starvideos.cli.console').log(%q, print)"
      .. " for at = 1, 300 do write { name = 'ledger', at = at,"
      .. " failure = ('x'):rep(5000) } end"):format(path)
    shell.run(shell.fill("for i in 1 2 3; do @lua@ -e @program@ & done; wait",
      { lua = LUA, program = program }))
    local count = 0
    for _, line in ipairs(lines_of(path)) do
      assert.equal(5000, #assert(json.decode(line)).failure)
      count = count + 1
    end
    assert.equal(900, count)
  end)

  it("is kept by a command that asks for it", function()
    local code = command.run({ "query", "video_1", "--log", path },
      { transport = command.answering(RUNNING) })
    assert.equal(0, code)
    local event = json.decode(lines_of(path)[1])
    assert.same({ "exchange", "query", "video_1", 200 }, { event.name,
      event.operation, event.task_id, event.status })
    assert.is_nil(table.concat(lines_of(path)):find("test-key", 1, true))
  end)

  it("does not end a command on a full disk, nor where it is a folder",
    function()
      for _, name in ipairs { "/dev/full", folder } do
        local code, out, err = command.run({ "query", "video_1", "--log", name },
          { transport = command.answering(RUNNING) })
        assert.equal(0, code)
        assert.equal("video_1", json.decode(out).id)
        assert.equal(1, select(2, err:gsub("cannot be written", "")))
      end
    end)
end)
