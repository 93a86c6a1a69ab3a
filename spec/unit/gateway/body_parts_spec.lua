-- Forms as clients write them, and as somebody writes them who means harm.

local bodies = require "starvideos.gateway.body"

local unpack = table.unpack or unpack

local function form(...)
  return table.concat({ ... }, "\r\n")
end

local function field(name, value)
  return form("--b", ('Content-Disposition: form-data; name="%s"'):format(name),
    "", value)
end

local function parse(...)
  return bodies.parts(form(...), "b")
end

local function why_not(...)
  local parts, why = parse(...)
  assert.is_nil(parts)
  return why
end

describe("the boundary", function()
  it("is read from the Content-Type", function()
    for given, boundary in pairs {
      ["multipart/form-data; boundary=b"] = "b",
      ["Multipart/Form-Data;Boundary=b"] = "b",
      ['multipart/form-data; charset=utf-8; boundary="a b:c"'] = "a b:c",
      ["multipart/form-data; boundary=----formdata-undici-012345678901"] =
        "----formdata-undici-012345678901",
      ["multipart/form-data; boundary=" .. ("x"):rep(70)] = ("x"):rep(70),
    } do
      assert.equal(boundary, bodies.boundary(given))
    end
  end)

  it("is refused where it is missing, doubtful or not a valid one", function()
    for _, given in ipairs { "multipart/form-data", "", "multipart/form-data;",
      "multipart/form-data; boundary=", 'multipart/form-data; boundary="b',
      'multipart/form-data; boundary=""', "multipart/form-data; boundary=a b",
      "multipart/form-data; boundary=a; boundary=b",
      'multipart/form-data; boundary="a "', 'multipart/form-data; boundary="a\r\n"',
      "multipart/form-data; boundary=" .. ("x"):rep(71) } do
      local boundary, why = bodies.boundary(given)
      assert.is_nil(boundary)
      assert.truthy(why:find "boundary")
    end
  end)
end)

describe("a form", function()
  it("is taken apart, every byte as it is", function()
    local bytes = {}
    for byte = 0, 255 do
      bytes[#bytes + 1] = string.char(byte)
    end
    local all = table.concat(bytes) .. "\r\n--a\r\n--\r\n\r\n--"
    assert.same({ { name = "prompt", value = all }, { name = "empty", value = "" },
      { name = "model", value = "videos" } },
      parse(field("prompt", all), field("empty", ""), field("model", "videos"),
        "--b--", ""))
  end)

  local WHOLE = 'before\r\n--b \t\r\nContent-Disposition: form-data; name=a'
    .. "\r\n\r\n1\r\n--b--"

  it("may have text before it, and blanks behind a boundary", function()
    assert.same({ { name = "a", value = "1" } },
      bodies.parts(WHOLE .. " \r\n\n", "b"))
  end)

  it("is refused where anything else follows it, with the place", function()
    for rest, at in pairs { ["behind"] = 1, ["\r\nbehind"] = 3, [" \0"] = 2,
      ["\r\n--b\r\n"] = 3 } do
      local parts, why = bodies.parts(WHOLE .. rest, "b")
      assert.is_nil(parts)
      assert.truthy(why:find("at byte " .. #WHOLE + at .. "$"), why)
    end
  end)

  it("may be empty", function()
    assert.same({}, parse "--b--")
  end)

  it("tells an uploaded file by its name", function()
    local function file(rest)
      return parse("--b", 'content-disposition: Form-Data; name="f"; ' .. rest,
        "Content-Type: image/png", "", "\137PNG", "--b--")[1]
    end
    assert.same({ name = "f", value = "\137PNG", filename = "a.png" },
      file 'filename="a.png"')
    assert.same({ name = "f", value = "\137PNG", filename = "" },
      file 'filename=""')
    assert.equal("UTF-8''a", file "filename*=UTF-8''a".filename)
  end)

  it("keeps a name with quotes and brackets", function()
    assert.equal('a"\\[b]', parse(field('a\\"\\\\[b]', ""), "--b--")[1].name)
  end)

  it("does not end where its content only looks like the boundary", function()
    local value = "\r\n--bc\r\n--b-\r\n--b x\r\n-b--\n--b--"
    assert.equal(value, parse(field("a", value), "--b--")[1].value)
  end)

  -- What is made of these is close to a form, or one.
  local pieces = { "\r\n--b", "\r\n--c", "--b", "--", "-", "b", "\r", "\n", "\r\n",
    "\r\n\r\n", " ", "\t", "\0", '"', "\\", "\255", ";", ":", "name=a",
    "\r\nContent-Disposition: form-data; name=a\r\n\r\n" }
  local state = 1

  local function draw(count)
    state = state * 16807 % 2147483647
    return state % count + 1
  end

  local function random_text()
    local words = {}
    for place = 1, draw(8) do
      words[place] = pieces[draw(#pieces)]
    end
    return table.concat(words)
  end

  it("holds what was put into it, and nothing more", function()
    local held = 0
    for _ = 1, 5000 do
      local first, second = random_text(), random_text()
      if not (first .. second):find("\r\n--b", 1, true) then
        assert.same({ { name = "x", value = first }, { name = "y",
          value = second } }, parse(field("x", first), field("y", second), "--b--"))
        held = held + 1
      end
    end
    assert.is_true(held > 1000)
  end)

  it("is refused, or is one, whatever was sent", function()
    for _ = 1, 5000 do
      local parts, why = bodies.parts(random_text() .. random_text(), "b")
      assert.equal(parts and "nil" or "string", type(why))
    end
  end)

  it("is refused where it was cut off, wherever that was", function()
    local whole = form(field("prompt", "Rain"), field("model", "videos"), "--b--")
    for length = 0, #whole - 1 do
      local parts, why = bodies.parts(whole:sub(1, length), "b")
      assert.is_nil(parts)
      assert.equal("string", type(why))
    end
    assert.equal(2, #bodies.parts(whole, "b"))
  end)

  it("is refused with another boundary than it has", function()
    assert.truthy(why_not("--c", "", "--c--"):find "does not have the boundary")
  end)

  it("is refused where a part has no name or strange headers", function()
    for header, told in pairs {
      ["Content-Type: text/plain"] = "no name",
      ["Content-Disposition: form-data"] = "no name",
      ['Content-Disposition: form-data; name=""'] = "no name",
      ['Content-Disposition: form-data; name="a'] = "no name",
      ['Content-Disposition: form-data; name="a"; name="c"'] = "no name",
      ['Content-Disposition: attachment; name="a"'] = "no name",
      ["Content-Disposition"] = "not valid",
      ["Content-Disposition: form-data; name=\"a\0\""] = "not valid",
      ["Content-Disposition: form-data;\r\n name=a"] = "not valid",
      ["X: 1\r\nx: 2"] = "not valid",
      ["Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64"] =
        "Content-Transfer-Encoding",
      ["X: " .. ("x"):rep(5000)] = "4096 bytes",
    } do
      local why = why_not("--b", header, "", "1", "--b--")
      assert.truthy(why:find(told, 1, true), header .. ": " .. why)
    end
  end)

  it("is refused with more than 100 parts", function()
    local parts = {}
    for index = 1, 100 do
      parts[index] = field("a" .. index, "")
    end
    assert.equal(100, #parse(form(unpack(parts)), "--b--"))
    parts[101] = field("one more", "")
    assert.truthy(why_not(form(unpack(parts)), "--b--"):find "more than 100 parts")
  end)

  -- Of twice the bytes it must not take four times the time.
  it("takes time that grows with its length, not with the square of it", function()
    for _, piece in ipairs { "\r\n--b", "\r\n--b-", "\r\n--b \t", "\r", "\r\n",
      "\r\n\r\n", "--b\r\n", " ", '\\"' } do
      local junk = piece:rep(math.floor(1e6 / #piece))
      local began = os.clock()
      bodies.parts(junk, "b")
      parse(field("a", junk), "--b--")
      bodies.boundary("multipart/form-data; boundary=" .. junk)
      bodies.boundary('multipart/form-data; boundary="' .. junk)
      bodies.boundary("multipart/form-data;" .. junk)
      assert.is_true(os.clock() - began < 5)
    end
    local blanks = "--b\r\nX: " .. ("a "):rep(2000) .. "\r\nContent-Disposition:"
      .. " form-data; name=a\r\n\r\n\r\n"
    local began = os.clock()
    assert.equal(100, #bodies.parts(blanks:rep(100) .. "--b--", "b"))
    assert.is_true(os.clock() - began < 5)
  end)
end)
