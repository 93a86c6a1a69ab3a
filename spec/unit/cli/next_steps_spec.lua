local advice = require "starvideos.cli.next_steps"
local core = require "starvideos.core"
local shell = require "starvideos.nginx.shell"

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

  it("has in escapes what a terminal obeys, and means the same word", function()
    core.system = function() return "posix" end
    local word = "v'\\\27[2J\194\155\226\128\174\233é"
    local line = command { word }
    assert.equal([[starvideos wait $'v\'\\\u001b[2J\u009b\u202e\xE9é']], line)
    local pipe = io.popen("LC_ALL=C.UTF-8 bash -c " .. shell.quote("printf %s "
      .. line:match "wait (.*)"))
    local read = pipe:read "*a"
    pipe:close()
    assert.equal(word, read)
  end)

  it("is quoted for the one of Windows there", function()
    core.system = function() return "windows" end
    assert.equal([[starvideos wait video_1 -o "it's a\b.mp4"]],
      command { "video_1", output = [[it's a\b.mp4]] })
    assert.equal([[starvideos wait "a \"b\"" -o "my videos\\"]],
      command { [[a "b"]], output = [[my videos\]] })
  end)
end)
