-- What a command does with what the media host sends in the place of a whole MP4.

local clip = require "spec.fixtures.clip"
local command = require "spec.fixtures.command"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"

local PAGE = "<html>Sign in</html>"
local WEBM = "\26\69\223\163\66\130\132webm"
local CUT = clip.mp4(100):sub(1, 90)

describe("the command line", function()
  local folder, ledger, sent

  before_each(function()
    folder = files.folder()
    ledger, sent = folder .. "/videos.db", nil
    files.write(folder .. "/list.jsonl", '{"path":"a.mp4","model":"videos",'
      .. '"prompt":"a kite","duration":5}\n')
  end)
  after_each(function()
    files.remove(folder)
  end)

  local function transport(req)
    if req.method == "POST" then
      return { status = 200, headers = {}, body =
        '{"id":"video_1","status":"queued"}' }
    elseif req.url:find("/result/", 1, true) then
      return { status = 200, headers = {}, body = json.encode { id = "video_1",
        status = "completed", video_url = " https://m/1?s=x\n" } }
    end
    assert.equal("https://m/1?s=x", req.url)
    return { status = 200, headers = { ["content-length"] = tostring(#sent) },
      body = sent }
  end

  local function run(words, ...)
    local list = { ... }
    for word in words:gmatch "%S+" do
      table.insert(list, #list - select("#", ...) + 1, word)
    end
    return command.run(list, { transport = transport, ledger = ledger })
  end

  local ORDER = "-m videos -p kite -d 5 -o "
  local function order()
    assert.equal(0, (run("create --key a " .. ORDER, folder .. "/a.mp4")))
  end

  -- How each command saves a.mp4.
  local commands = {
    generate = function(...)
      return run("generate " .. ORDER, folder .. "/a.mp4", ...)
    end,
    wait = function(...)
      return run("wait video_1 -o", folder .. "/a.mp4", ...)
    end,
    download = function(...)
      return run("download video_1 -o", folder .. "/a.mp4", ...)
    end,
    resume = function(...)
      order()
      return run("resume -o", folder, ...)
    end,
    batch = function(...)
      return run("batch", folder .. "/list.jsonl", "--yes", "-o", folder, ...)
    end,
  }

  for name, save in pairs(commands) do
    it("says with 7 that " .. name .. " has saved no page, and how to", function()
      sent = PAGE
      local code, _, err = save()
      assert.equal(7, code, err)
      assert.truthy(err:find("--accept any", 1, true), err)
      assert.is_nil(files.read(folder .. "/a.mp4"))
    end)

    it("has " .. name .. " save a page where anything is accepted", function()
      sent = PAGE
      local code, out, err = save("--accept", "any")
      assert.equal(0, code, err)
      assert.equal(PAGE, files.read(folder .. "/a.mp4"))
      assert.is_nil(out:find('"container":', 1, true), out)
    end)

    it("says with 7 that " .. name .. " has a cut video, and where", function()
      sent = CUT
      local code, _, err = save()
      assert.equal(7, code, err)
      assert.truthy(err:find("90 bytes of it are kept in " .. folder
        .. "/a.mp4.part", 1, true), err)
      assert.is_nil(files.read(folder .. "/a.mp4"))
      assert.equal(CUT, files.read(folder .. "/a.mp4.part"))
    end)

    it("warns of a name that says otherwise, at " .. name, function()
      sent = WEBM
      local code, out, err = save()
      assert.equal(0, code, err)
      assert.truthy(err:find("warning: the name of ", 1, true), err)
      assert.truthy(out:find('"container":"webm"', 1, true), out)
    end)
  end

  it("knows two things to accept", function()
    local code, _, err = commands.download("--accept", "all")
    assert.equal(2, code)
    assert.truthy(err:find("video", 1, true), err)
  end)
end)
