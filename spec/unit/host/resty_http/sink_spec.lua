local files = require "spec.fixtures.files"
local shell = require "starvideos.nginx.shell"
local sinks = require "starvideos.host.resty_http.sink"

describe("the file of a download", function()
  local path, now, claims

  before_each(function()
    path, now = os.tmpname(), 100
    claims = { clock = function() return now end, seconds = 10 }
  end)

  after_each(function()
    os.remove(path)
  end)

  local function open(wanted)
    wanted = wanted or {}
    wanted.path = path
    return sinks.open(wanted, claims)
  end

  it("keeps what it holds until a whole body begins", function()
    files.write(path, "old")
    local sink = open()
    assert.equal("old", files.read(path))
    assert(sink:begin(200, {}))
    assert(sink:write "ne")
    assert(sink:write "w")
    assert(sink:close())
    assert.equal("new", files.read(path))
    assert.equal(0, sink.offset)
    assert.equal(3, sink.written)
  end)

  it("takes no more than it may have", function()
    files.write(path, "old")
    local sink = open { max = 5 }
    local _, failure = sink:begin(200, {}, 6)
    assert.equal("too_large", failure.reason)
    assert.equal("old", files.read(path))
    assert(sink:begin(200, {}))
    assert(sink:write "12345")
    _, failure = sink:write "6"
    assert.equal("too_large", failure.reason)
    sink:close()
    sink = open { max = 7, offset = 5 }
    _, failure = sink:begin(206, { ["content-range"] = "bytes 5-7/8" }, 3)
    assert.equal("too_large", failure.reason)
    assert.equal("12345", files.read(path))
    sink:close()
  end)

  it("is continued with the rest", function()
    files.write(path, "abc")
    local sink = open { offset = 3, etag = '"1"', total = 5 }
    assert(sink:begin(206, { ["content-range"] = "bytes 3-4/5",
      etag = '"1"' }))
    assert(sink:write "de")
    assert(sink:close())
    assert.equal("abcde", files.read(path))
    assert.equal(3, sink.offset)
    assert.equal(2, sink.written)
  end)

  local wrong = {
    { "protocol", {} },
    { "protocol", { ["content-range"] = "bytes 2-4/5" } },
    { "protocol", { ["content-range"] = "lines 3-4/5" } },
    { "changed", { ["content-range"] = "bytes 3-4/6" } },
    { "changed", { ["content-range"] = "bytes 3-4/5", etag = '"2"' } },
    { "changed", { ["content-range"] = "bytes 3-4/5",
      ["last-modified"] = "later" } },
  }

  it("takes no other part, and none of another version", function()
    files.write(path, "abc")
    for _, case in ipairs(wrong) do
      local sink = open { offset = 3, etag = '"1"', modified = "then",
        total = 5 }
      local ok, failure = sink:begin(206, case[2])
      assert.is_nil(ok)
      assert.equal(case[1], failure.reason)
      sink:close()
      assert.equal("abc", files.read(path))
    end
  end)

  it("takes no rest where what was saved is shorter or longer by now", function()
    for _, text in ipairs { "ab", "abcd" } do
      files.write(path, text)
      local sink = open { offset = 3 }
      local _, failure = sink:begin(206,
        { ["content-range"] = "bytes 3-4/5" })
      assert.equal("changed", failure.reason)
      sink:close()
    end
  end)

  it("has one writer, until it closes the file or its claim expires", function()
    local first = open()
    local second, failure = open()
    assert.is_nil(second)
    assert.equal("busy", failure.reason)
    first:close()
    first:close()
    second = open()
    now = now + 9
    second:hold()
    now = now + 9
    assert.is_nil((open()))
    now = now + 2
    local third = open()
    assert.truthy(third)
    third:close()
    second:close()
  end)

  it("is no pipe, which would wait for its other end", function()
    os.remove(path)
    shell.run("mkfifo " .. path)
    for _ = 1, 2 do
      local sink, failure = open()
      assert.is_nil(sink)
      assert.equal("io", failure.reason)
      assert.truthy(failure.message:find("is a pipe", 1, true))
    end
  end)

  it("is closed once where it cannot be emptied", function()
    local sink = open()
    os.remove(path)
    shell.run("mkdir " .. path)
    local ok, failure = sink:begin(200, {})
    assert.is_nil(ok)
    assert.equal("io", failure.reason)
    assert(sink:close())
  end)

  it("tells of a folder that is not there", function()
    path = path .. "/no/such"
    for _ = 1, 2 do
      local sink, failure = open()
      assert.is_nil(sink)
      assert.truthy(failure.message:find("^cannot write .+: %a"))
      assert.equal("io", failure.reason)
    end
  end)
end)
