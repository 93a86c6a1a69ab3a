local owner = require "starvideos.ledger.owner"
local shell = require "starvideos.nginx.shell"

describe("the process that has taken an order", function()
  -- The words of a name.
  local HOST, BOOT, PIDS, TIME, NUMBER, START, STATE = 1, 2, 3, 4, 5, 6, 7

  -- This process under another name.
  local function renamed(changes)
    local parts = {}
    for part in owner.current():gmatch "%S+" do
      parts[#parts + 1] = part
    end
    assert.equal(7, #parts)
    for position, part in pairs(changes) do
      parts[position] = part
    end
    return table.concat(parts, " ")
  end

  it("runs where it is this process", function()
    assert.is_true(owner.is_alive(owner.current()))
    assert.equal(owner.current(), owner.current())
  end)

  it("runs where it is another Lua state of this process", function()
    assert.is_true(owner.is_alive(renamed { [STATE] = "another" }))
  end)

  it("does not run where no process has its number", function()
    assert.is_false(owner.is_alive(renamed { [NUMBER] = "4194305" }))
  end)

  it("does not run where another process has got its number", function()
    assert.is_false(owner.is_alive(renamed { [START] = "1",
      [STATE] = "another" }))
  end)

  it("does not run where no process has taken it", function()
    assert.is_false(owner.is_alive(nil))
  end)

  -- The number of none that can be seen from here.
  for what, changes in pairs {
    ["in another PID namespace"] = { [PIDS] = "pid:[1]" },
    ["on a machine made of the same snapshot"] = { [HOST] = "clone" },
    ["on another machine, or before it was started again"] = { [BOOT] = "b" },
    ["on one that does not tell its boot"] = { [BOOT] = "-" },
    ["of one whose namespace is not known"] = { [PIDS] = "-" },
  } do
    it("may run " .. what, function()
      changes[NUMBER] = "4194305"
      assert.is_nil(owner.is_alive(renamed(changes)))
    end)
  end

  it("may be another where its start is given in another time namespace", function()
    assert.is_nil(owner.is_alive(renamed { [TIME] = "time:[1]", [START] = "1" }))
  end)

  it("may run where its name says nothing", function()
    assert.is_nil(owner.is_alive "somebody")
    assert.is_nil(owner.is_alive "host boot 12 34 state")
  end)

  -- It has ended, and its parent, which becomes a sleep, does not look.
  it("does not run where it is a zombie", function()
    local parent = io.popen [[
      echo $$
      until grep -q sleep /proc/$$/comm; do sleep 0.01; done & echo $!
      exec sleep 60]]
    local pid, number = parent:read "*l", parent:read "*l"
    local start = shell.read(([[
      for attempt in $(seq 500); do
        ! grep -q '^State:.Z' /proc/%s/status || break
        sleep 0.01
      done
      sed 's/.*) //' /proc/%s/stat | cut -d ' ' -f 1,20]]):format(number,
      number))
    local name = renamed { [NUMBER] = number,
      [START] = start:match "^Z (%d+)$", [STATE] = "another" }
    local alive = owner.is_alive(name)
    os.execute("kill " .. pid)
    parent:close()
    assert.matches("^Z %d+$", start)
    assert.is_false(alive)
  end)
end)
