-- Files by name, whose names are UTF-8 on every system.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"

describe("a file", function()
  local folder, path

  before_each(function()
    folder = files.folder()
    path = folder .. "/Größe 影片.txt"
  end)

  after_each(function()
    files.remove(folder)
  end)

  local function write(text, mode)
    local file = assert(core.open(path, mode or "wb"))
    assert.is_true(file:write(text))
    assert.is_true(file:close())
  end

  local function content()
    local file = assert(core.open(path, "rb"))
    local text = file:read "*a"
    file:close()
    return text
  end

  it("gives back what was written to it", function()
    local text = ("\0\r\n\26é"):rep(20000)
    write(text)
    assert.equal(text, content())
    assert.equal(#text, core.disk("size", path))
  end)

  it("is appended to, overwritten and replaced", function()
    write "one"
    write("two", "ab")
    assert.equal("onetwo", content())
    write("O", "r+b")
    assert.equal("Onetwo", content())
    write "x"
    assert.equal("x", content())
  end)

  it("gets at its end what each of two appends, in their order", function()
    local one, other = assert(core.open(path, "ab")), assert(core.open(path, "ab"))
    for _, file in ipairs { one, other, one } do
      assert.is_true(file:write(file == one and "one " or "other "))
    end
    one:close()
    other:close()
    assert.equal("one other one ", content())
  end)

  it("is read in parts, from any place", function()
    write "abcdef"
    local file = assert(core.open(path))
    assert.equal("ab", file:read(2))
    assert.is_true(file:seek("set", 4))
    assert.equal("ef", file:read(10))
    assert.is_nil(file:read(1))
    assert.equal("", file:read "*a")
    file:close()
    assert.has_error(function() file:read(1) end)
  end)

  it("fails as those of Lua do: nil, why with the path, and a number", function()
    local none, why, errno = core.open(path)
    assert.is_nil(none)
    assert.equal(path .. ": ", why:sub(1, #path + 2))
    assert.equal(2, errno)
    assert.is_nil((core.open(folder)))
  end)

  it("is removed by a job on the disk", function()
    write "text"
    assert.is_true(curl.disk("remove", path))
    assert.is_nil(core.kind(path))
    local ok, failure = curl.disk("remove", path)
    assert.is_nil(ok)
    assert.equal("io", failure.reason)
  end)

  it("has no name with a NUL in it", function()
    assert.has_error(function() core.open(path .. "\0") end)
    assert.has_error(function() core.disk("remove", path .. "\0") end)
  end)
end)
