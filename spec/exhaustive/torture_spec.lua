-- A program that orders through a ledger is killed and started again, some
-- times here and by the thousand in `make torture`.

local audit = require "spec.torture.audit"
local interpreter = require "spec.fixtures.interpreter"
local json = require "starvideos.base.json"

local KILLS = 40

-- Of the system calls of an order, this is how many lie between two kills.
local EVERY = 29

-- The same of the instructions after it was sent.
local EVERY_INSTRUCTION = 37

local function run(program, ...)
  local process = assert(io.popen(("%s spec/torture/%s 2>&1; echo $?")
    :format(interpreter, program:format(...))))
  local figures, output, status = {}, {}, nil
  for line in process:lines() do
    local figure = json.decode(line)
    if type(figure) == "table" then
      figures[figure.name:gsub("^torture_", "")] = figure.value
    end
    output[#output + 1], status = line, line
  end
  process:close()
  return figures, status, table.concat(output, "\n")
end

describe("a program that is killed at random moments", function()
  it("loses no order and buys none twice", function()
    local figures, status, output = run("run.lua %d", KILLS)
    assert.equal("0", status, output)
    assert.equal(0, figures.lost, output)
    assert.equal(0, figures.double, output)
    assert.is_true(figures.kills >= KILLS)
    assert.is_true(figures.downloaded > KILLS / 2)
    assert.is_true(figures.unknown > 0)
  end)

  it("would be found by the audit if it did", function()
    local figures, status, output = run("run.lua 20 '' rash")
    assert.equal("1", status, output)
    assert.is_true(figures.double > 0)
  end)
end)

describe("a program that is killed at a system call", function()
  it("loses no order and buys none twice", function()
    local figures, status, output = run("calls.lua %d", EVERY)
    assert.equal("0", status, output)
    assert.equal(0, figures.calls_lost, output)
    assert.equal(0, figures.calls_double, output)
    assert.is_true(figures.calls_unknown > 0)
  end)

  it("would be found by the audit if it did", function()
    local figures, status, output = run("calls.lua %d late", EVERY)
    assert.equal("1", status, output)
    assert.is_true(figures.calls_lost + figures.calls_double > 0)
  end)
end)

describe("a host's error at an instruction after an order was sent", function()
  it("loses no order and buys none twice", function()
    local figures, status, output = run("raise.lua %d", EVERY_INSTRUCTION)
    assert.equal("0", status, output)
    for _, way in ipairs { "block", "frame", "update" } do
      assert.equal(0, figures["raised_in_" .. way .. "_lost"], output)
      assert.is_true(figures["raised_in_" .. way] > 0, output)
    end
    assert.equal(0, figures.raise_lost, output)
    assert.equal(0, figures.raise_double, output)
  end)
end)

describe("the audit of torture", function()
  local function compare(row, tasks, digest)
    return audit.compare { tasks = tasks or { { id = "t1", prompt = "a" } },
      rows = { row }, health = "ok", clip = "d1gest",
      digests = { ["a.mp4"] = digest or "d1gest" } }
  end

  local function order(state, changes)
    local row = { order_key = "a", state = state, task_id = "t1",
      path = "a.mp4", sha256 = "d1gest" }
    for name, value in pairs(changes or {}) do
      row[name] = value or nil
    end
    return row
  end

  it("find nothing where all is well", function()
    assert.same({}, compare(order "downloaded").findings)
    assert.same({}, compare(order("unknown", { task_id = false })).findings)
    assert.same({}, compare(order("downloaded", { task_id = "t0",
      late_tasks = "t2\nt1" })).findings)
  end)

  local twice = { { id = "t1", prompt = "a" },
    { id = "t2", prompt = "a [scenario:failed]" } }
  local wrongs = {
    { "a task that no order tells of", "lost", order("downloaded",
      { task_id = "t0" }) },
    { "a key that was billed twice", "double", order "downloaded", twice },
    { "a key that was billed twice and is unknown", "double",
      order "unknown", twice },
    { "an order that is still open", "unfinished", order "accepted" },
    { "a file that is not the clip", "broken", order "downloaded", nil,
      "0ther" },
    { "a file that is not there", "broken", order("downloaded",
      { path = "b.mp4" }) },
    { "an entry with another digest", "broken", order("downloaded",
      { sha256 = "0ther" }) },
  }
  for _, case in ipairs(wrongs) do
    it("find " .. case[1], function()
      assert.equal(1, compare(case[3], case[4], case[5])[case[2]])
    end)
  end
end)
