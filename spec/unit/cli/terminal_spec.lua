local core = require "starvideos.core"
local terminals = require "starvideos.cli.terminal"

describe("the streams of a person", function()
  local real, typed, shown

  local function stand_in(name, fn)
    real[name] = core[name]
    core[name] = fn
  end

  before_each(function()
    real, shown = {}, {}
    stand_in("system", function() return "windows" end)
    stand_in("is_terminal", function() return true end)
    stand_in("read_terminal", function()
      return table.remove(typed, 1)
    end)
    stand_in("write_terminal", function(descriptor, text)
      shown[#shown + 1] = descriptor .. text
      return true
    end)
  end)

  after_each(function()
    for name, fn in pairs(real) do
      core[name] = fn
    end
  end)

  it("are waited for until a line has ended, or there will be none", function()
    local looks, answers = 0, { [3] = "yes", [4] = false }
    core.read_terminal = function()
      looks = looks + 1
      return answers[looks]
    end
    assert.equal("yes", terminals.read_line())
    assert.equal(3, looks)
    assert.is_nil(terminals.read_line())
  end)

  it("go past the C library at a console", function()
    typed = { "生", "ö", false }
    assert.equal("生\nö\n", terminals.input(io.stdin):read "*a")
    local stream = terminals.output(2, io.stderr)
    assert.equal(stream, stream:write("é", "1", "\n"))
    assert.is_true(stream:flush())
    assert.same({ "2é1\n" }, shown)
  end)

  it("say why a console takes nothing", function()
    core.write_terminal = function() return nil, "gone" end
    local ok, why = terminals.output(1, io.stdout):write "x"
    assert.is_not.truthy(ok)
    assert.equal("gone", why)
  end)

  it("are the C library's in a pipe, and elsewhere", function()
    core.is_terminal = function() return false end
    assert.equal(io.stdin, terminals.input(io.stdin))
    assert.equal(io.stdout, terminals.output(1, io.stdout))
    core.is_terminal, core.system = real.is_terminal, function()
      return "posix"
    end
    assert.equal(io.stderr, terminals.output(2, io.stderr))
  end)
end)
