local advice = require "starvideos.cli.advice"
local core = require "starvideos.core"

describe("a command to type", function()
  local system = core.system

  after_each(function()
    core.system = system
  end)

  local function command(words)
    return advice.command({ options = {} }, "wait", words)
  end

  it("is quoted for the shell", function()
    core.system = function() return "posix" end
    assert.equal([[starvideos wait video_1 -o 'it'\''s.mp4']],
      command { "video_1", output = "it's.mp4" })
  end)

  it("is quoted for the one of Windows there", function()
    core.system = function() return "windows" end
    assert.equal([[starvideos wait video_1 -o "it's a\b.mp4"]],
      command { "video_1", output = [[it's a\b.mp4]] })
    assert.equal([[starvideos wait "a \"b\"" -o "my videos\\"]],
      command { [[a "b"]], output = [[my videos\]] })
  end)
end)
