local manifest = require "starvideos.fleet.manifest"
local files = require "spec.fixtures.files"

local LINE = '{"model":"videos","prompt":"a kite","duration":5,"path":"%s"}'

local function line(path)
  return LINE:format(path)
end

-- The paths of the orders of a text, and the numbers of their lines.
local function read(...)
  local list = assert(manifest.read(table.concat({ ... }, "\n")))
  local paths = {}
  for index, order in ipairs(list) do
    paths[index] = order.path
  end
  return paths, list.lines, list.violations
end

-- The one fault of a text.
local function fault(...)
  local _, _, violations = read(...)
  assert.equal(1, #violations)
  return violations[1]
end

describe("a manifest", function()
  it("has an order a line, with the number of its line", function()
    local paths, lines, violations = read(line "a.mp4", line "b.mp4", "")
    assert.same({ "a.mp4", "b.mp4" }, paths)
    assert.same({ 1, 2 }, lines)
    assert.same({}, violations)
  end)

  it("keeps what stands in a line as it stands there", function()
    local list = assert(manifest.read [[
      {"model":"videos","prompt":"\u751f \"x\"","duration":5,"take":2,
]])
    assert.equal(0, #list)
    list = assert(manifest.read(
      '{"prompt":"\\u751f \\"x\\"","take":2,"ratio":null,"referenceImages":["a"]}'))
    assert.same({ prompt = "生 \"x\"", take = 2, referenceImages = { "a" } },
      list[1])
  end)

  it("may be empty", function()
    for _, text in ipairs { "", "\n\n", "\239\187\191", " \r\n\t\n" } do
      local paths, _, violations = read(text)
      assert.same({ {}, {} }, { paths, violations })
    end
  end)

  it("may have blank lines, which are counted", function()
    local _, lines = read("", line "a.mp4", "", "  \t", line "b.mp4")
    assert.same({ 2, 5 }, lines)
  end)

  it("may have the line ends of other systems", function()
    local paths, lines, violations = read(line "a.mp4" .. "\r", "\r",
      line "b.mp4" .. "\r", "")
    assert.same({ "a.mp4", "b.mp4" }, paths)
    assert.same({ 1, 3 }, lines)
    assert.same({}, violations)
  end)

  it("may begin with a byte order mark, and only begin", function()
    assert.same({ "a.mp4" }, (read("\239\187\191" .. line "a.mp4")))
    assert.equal(2, fault(line "a.mp4", "\239\187\191" .. line "b.mp4").line)
  end)

  it("has a fault for each line that is no object, and reads on", function()
    local paths, _, violations = read(line "a.mp4", "{", line "b.mp4", "[1]",
      '"text"', "5", "null", line "c.mp4" .. "x", line "d.mp4")
    assert.same({ "a.mp4", "b.mp4", "d.mp4" }, paths)
    local lines = {}
    for index, violation in ipairs(violations) do
      lines[index] = violation.line
      assert.equal("malformed", violation.code)
      assert.truthy(violation.message:find("no JSON object", 1, true))
    end
    assert.same({ 2, 4, 5, 6, 7, 8 }, lines)
  end)

  it("has a fault for a list of objects on one line", function()
    assert.equal("malformed", fault("[" .. line "a.mp4" .. "]").code)
  end)

  it("names a line that is no text at all", function()
    local found = fault(line "a.mp4", "\255\254{\0}\0")
    assert.same({ 2, "encoding" }, { found.line, found.code })
    assert.equal("malformed", fault('{"prompt":"a' .. "\1" .. '"').code)
    assert.equal("encoding", fault('{"prompt":"a' .. "\0").code)
  end)

  it("leaves invalid UTF-8 in a field to who knows the field", function()
    local list = assert(manifest.read(line "\255.mp4"))
    assert.equal("\255.mp4", list[1].path)
  end)

  it("does not hold a line of 10 MB", function()
    local rest = 10 * 1024 * 1024
    collectgarbage()
    local before = collectgarbage "count"
    local most = 0
    local list = assert(manifest.read(coroutine.wrap(function()
      coroutine.yield(line "a.mp4" .. '\n{"prompt":"')
      for index = 1, rest / 65536 do
        coroutine.yield(("x"):rep(65536))
        if index % 32 == 0 then -- what is held, whenever others' garbage goes
          collectgarbage()
          most = math.max(most, collectgarbage "count" - before)
        end
      end
      coroutine.yield('"}\n' .. line "b.mp4")
    end)))
    assert.same({ 1, 3 }, list.lines)
    assert.same({ { line = 2, code = "too_long",
      message = "the line has 10485773 bytes, and 1048576 is the most" } },
      list.violations)
    assert.is_true(most < 3 * 1024, most .. " KB")
  end)

  it("takes a line of 1 MiB to the byte", function()
    local text = line "a.mp4"
    assert.same({ 1 }, select(2, read((" "):rep(1024 * 1024 - #text) .. text)))
    assert.equal("too_long",
      fault((" "):rep(1024 * 1024 - #text + 1) .. text).code)
  end)

  it("is read in whatever parts it comes", function()
    local text = "\239\187\191" .. line "a.mp4" .. "\r\n\n{\n" .. line "b.mp4"
    for size = 1, 7 do
      local at = 1
      local list = assert(manifest.read(function()
        local part = text:sub(at, at + size - 1)
        at = at + size
        return part ~= "" and part or nil
      end))
      assert.same({ 1, 4 }, list.lines)
      assert.equal(3, list.violations[1].line)
    end
  end)

  it("is not one that could not be read to its end", function()
    local list, why = manifest.read(coroutine.wrap(function()
      coroutine.yield(line "a.mp4")
      return nil, "the disk failed"
    end))
    assert.is_nil(list)
    assert.equal("the disk failed", why)
  end)
end)

describe("a manifest in a file", function()
  it("is read", function()
    local path = os.tmpname()
    files.write(path, line "a.mp4" .. "\n" .. line "b.mp4")
    assert.equal(2, #assert(manifest.load(path)))
    os.remove(path)
  end)

  it("is named where it cannot be read", function()
    for _, path in ipairs { "/tmp", "/nowhere/at/all" } do
      local list, err = manifest.load(path)
      assert.is_nil(list)
      assert.equal("io", err.kind)
      assert.truthy(err.message:find(path .. ": ", 1, true), err.message)
    end
  end)
end)
