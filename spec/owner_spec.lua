local owner = require "starvideos.ledger.owner"
local shell = require "starvideos.sandbox.shell"

describe("whoever has taken an order", function()
  -- This process under another name.
  local function renamed(changes)
    local parts = {}
    for part in owner.current():gmatch "%S+" do
      parts[#parts + 1] = part
    end
    assert.equal(5, #parts)
    for position, part in pairs(changes) do
      parts[position] = part
    end
    return table.concat(parts, " ")
  end

  it("is alive where it is this process", function()
    assert.is_true(owner.is_alive(owner.current()))
    assert.equal(owner.current(), owner.current())
  end)

  it("is alive where it is another Lua state of this process", function()
    assert.is_true(owner.is_alive(renamed { [5] = "another" }))
  end)

  it("is dead where no process has its number", function()
    assert.is_false(owner.is_alive(renamed { [3] = "4194305" }))
  end)

  it("is dead where another process has got its number", function()
    assert.is_false(owner.is_alive(renamed { [4] = "1", [5] = "another" }))
  end)

  it("is dead where the machine was started anew since", function()
    assert.is_false(owner.is_alive(renamed { [2] = "another-boot" }))
  end)

  it("is dead where nobody has taken it", function()
    assert.is_false(owner.is_alive(nil))
  end)

  it("may be alive where it is on another machine", function()
    assert.is_nil(owner.is_alive(renamed { [1] = "elsewhere" }))
  end)

  it("may be alive where its name says nothing", function()
    assert.is_nil(owner.is_alive "somebody")
  end)

  -- It has ended, and its parent, which becomes a sleep, does not look.
  it("is dead where it is a zombie", function()
    local parent = io.popen "echo $$; sleep 0 & echo $!; exec sleep 60"
    local pid, number = parent:read "*l", parent:read "*l"
    local start = shell.read(([[
      for attempt in $(seq 500); do
        ! grep -q '^State:.Z' /proc/%s/status || break
        sleep 0.01
      done
      sed 's/.*) //' /proc/%s/stat | cut -d ' ' -f 1,20]]):format(number,
      number))
    local name = renamed { [3] = number, [4] = start:match "^Z (%d+)$",
      [5] = "another" }
    local alive = owner.is_alive(name)
    os.execute("kill " .. pid)
    parent:close()
    assert.matches("^Z %d+$", start)
    assert.is_false(alive)
  end)
end)
