-- The sandbox's smaller nouns: dates, URLs, signatures, clips, and the
-- queue of drawings.

local clips = require "starvideos.sandbox.clips"
local response = require "starvideos.sandbox.response"
local files = require "spec.fixtures.files"
local shell = require "starvideos.nginx.shell"
local store = require "starvideos.sandbox.store"
local url = require "starvideos.sandbox.url"

describe("a date", function()
  it("is written as HTTP has it", function()
    assert.equal("Sun, 06 Nov 1994 08:49:37 GMT", response.date(784111777))
    assert.equal("Thu, 01 Jan 1970 00:00:00 GMT", response.date(0.9))
  end)
end)

describe("a URL", function()
  it("is split into origin, path and query", function()
    assert.same({ "https://a.example:8", "/b/c", "d=e?f" },
      { url.split "https://a.example:8/b/c?d=e?f#g" })
    assert.same({ "http://a", "/", "" }, { url.split "http://a" })
    assert.same({ "", "/b", "" }, { url.split "/b" })
  end)

  it("is decoded and encoded", function()
    assert.equal("/a b%zz%", url.decode "%2Fa%20b%zz%")
    assert.equal("a%2F..%2F%20~-_.%E7%94%9F", url.encode "a/../ ~-_.生")
  end)

  it("is valid only with http or https and a host", function()
    for _, good in ipairs{ "http://a", "HTTPS://a.example/x?y", "http://[::1]/" } do
      assert.is_true(url.is_web(good))
    end
    for _, bad in ipairs{ "", "a", "/a", "ftp://a", "http://", "http:///a",
      "javascript:alert(1)", "data:,x", "http://a b", "http://a\n", 7, {} } do
      assert.is_false(url.is_web(bad))
    end
  end)

  it("may carry facts about its file", function()
    assert.same({ duration = 4.5, width = 1280, height = 720, bytes = 9 },
      url.facts("https://a/b?x=1&sandbox_duration=4.5&sandbox_width=1280"
        .. "&sandbox_height=720&sandbox_bytes=9"))
    assert.same({}, url.facts "https://a/b?width=7&duration=9")
  end)
end)

describe("a signature", function()
  it("changes with the secret and every character", function()
    local seen = {}
    for _, given in ipairs{ { "a", "b" }, { "a", "c" }, { "b", "b" },
      { "ab", "" }, { "a", "b\0" }, { "a", ("b"):rep(1000) } } do
      local digest = url.digest(given[1], given[2])
      assert.equal(32, #digest)
      assert.truthy(digest:find "^%x+$")
      assert.is_nil(seen[digest])
      seen[digest] = true
    end
  end)

  it("is the same in every Lua", function()
    assert.equal("expires=1760000001&signature=DIGEST",
      (url.sign("secret", "/media/x.mp4", 1760000000.5)
        :gsub("=%x+$", "=DIGEST")))
    assert.equal("2fb15c4934a5bdbb4799922a0e09884b", url.digest("secret", "/media/x.mp4"))
  end)
end)

describe("a clip", function()
  it("has 720 pixels on its shorter side, in every ratio", function()
    for _, ratio in ipairs{ "21:9", "16:9", "4:3", "1:1", "3:4", "9:16" } do
      local width, height = clips.size(ratio)
      local w, h = ratio:match "(%d+):(%d+)"
      assert.equal(720, math.min(width, height))
      assert.is_near(w / h, width / height, 1e-9)
      assert.equal(ratio, clips.nearest(width * 2, height * 2))
    end
  end)

  it("comes bundled, is small, and says how long it plays", function()
    local file = assert(io.open(clips.bundled_path(), "rb"))
    assert.is_true(file:seek "end" < 30000)
    file:close()
    assert.equal(3, clips.seconds(clips.bundled_path()))
  end)

  it("has no length if it is not an MP4 file", function()
    assert.is_nil(clips.seconds "/nowhere")
    local path = os.tmpname()
    for _, content in ipairs{ "", "hello, this is text", ("\0"):rep(99),
      "\0\0\0\16moov\0\0\0\8free" } do
      local file = assert(io.open(path, "wb"))
      file:write(content)
      file:close()
      assert.is_nil(clips.seconds(path))
    end
    os.remove(path)
  end)
end)

describe("a shell command", function()
  it("takes any word as it is", function()
    for _, word in ipairs{ "a b", "it's", "$(exit 3)", "`x`", '"', "\\",
      "a\nb", "-n", "*", "生" } do
      assert.equal(word, shell.read(shell.fill("printf '%s' @word@",
        { word = word })))
    end
  end)

  it("tells success, failure and the end by a signal", function()
    assert.same({ true, false }, { shell.run "true" })
    assert.same({ false, false }, { shell.run "exit 3" })
    assert.same({ false, true }, { shell.run "kill -TERM $$" })
  end)
end)

describe("drawings", function()
  local directory, commands, queue, now

  before_each(function()
    directory = files.folder()
    commands, now = {}, 0
    queue = clips.drawn{ store = store.new(), directory = directory,
      fallback = "/the/bundled.mp4", per_minute = 100, clock = function() return now end,
      run = function(command) commands[#commands + 1] = command end }
  end)

  after_each(function()
    files.remove(directory)
  end)

  local function order(id, prompt)
    queue:order{ id = id, ratio = "16:9", seconds = 5,
      params = { prompt = prompt or "a kite" } }
  end

  local function finish(id)
    assert(io.open(directory .. "/" .. id .. ".mp4", "wb")):close()
  end

  it("run two at a time, in order", function()
    for index = 1, 5 do
      order("t" .. index)
    end
    queue:step()
    queue:step()
    assert.equal(2, #commands)
    assert.truthy(commands[1]:find("t1", 1, true))
    finish "t2"
    queue:step()
    assert.equal(3, #commands)
    assert.truthy(commands[3]:find("t3", 1, true))
  end)

  it("are of the first tasks of a minute alone", function()
    queue.per_minute = 2
    local function tasks_of_a_minute()
      local found = {}
      for index = 1, 4 do
        local task = { id = now .. "t" .. index, ratio = "16:9", seconds = 5,
          params = { prompt = "a kite" } }
        queue:order(task)
        found[index] = queue:find(task) or "drawn"
      end
      return found
    end
    local expected = { "drawn", "drawn", "/the/bundled.mp4", "/the/bundled.mp4" }
    assert.same(expected, tasks_of_a_minute())
    now = 60
    assert.same(expected, tasks_of_a_minute())
    for _ = 1, 4 do
      queue:step()
      now = now + 121
    end
    assert.equal(4, #commands)
  end)

  it("are given up when they take too long", function()
    for index = 1, 3 do
      order("t" .. index)
    end
    queue:step()
    now = 121
    queue:step()
    assert.equal(3, #commands)
  end)

  it("are found when they are complete", function()
    order "t1"
    assert.is_nil(queue:find{ id = "t1" })
    finish "t1"
    assert.equal(directory .. "/t1.mp4", queue:find{ id = "t1" })
  end)

  it("wrap the prompt, a Chinese character taking two columns", function()
    local function wrapped(prompt)
      order("t1", prompt)
      return (files.read(directory .. "/t1.txt"))
    end
    assert.equal(("a"):rep(51) .. "\n" .. ("a"):rep(9), wrapped(("a"):rep(60)))
    assert.equal(("生"):rep(25) .. "\n生", wrapped(("生"):rep(26)))
    assert.equal("a b c", wrapped "a\r\n\tb\0c")
    assert.equal(8, select(2, (wrapped(("a"):rep(1000)) .. "\n"):gsub("\n", "")))
  end)

  it("never pass the prompt to the shell", function()
    order("t1", "'; touch /tmp/pwned; echo $(id) %{pts} \\")
    queue:step()
    assert.is_nil(commands[1]:find("pwned", 1, true))
    local file = assert(io.open(directory .. "/t1.txt", "rb"))
    assert.truthy(file:read("*a"):find("touch /tmp/pwned", 1, true))
    file:close()
  end)
end)
