-- The fields of a request, from JSON and from a form.

local body = require "starvideos.gateway.body"
local json = require "starvideos.base.json"

local FORM = "multipart/form-data; boundary=b"

-- A form of names and values in their order; a value that is a table is a file.
local function form(...)
  local parts, given = {}, { ... }
  for index = 1, #given, 2 do
    local value = given[index + 1]
    local is_file = type(value) == "table"
    parts[#parts + 1] = '--b\r\nContent-Disposition: form-data; name="'
      .. given[index] .. (is_file and '"; filename="a.png"' or '"')
      .. "\r\n\r\n" .. (is_file and value[1] or value) .. "\r\n"
  end
  return table.concat(parts) .. "--b--\r\n"
end

local function refused(content_type, text, code)
  local fields, refusal = body.parse(content_type, text)
  assert.is_nil(fields)
  assert.equal(code, refusal.code)
  assert.truthy(refusal.message:find("nothing was ordered", 1, true))
  return refusal
end

describe("a body", function()
  it("is a JSON object", function()
    assert.same({ prompt = "Rain 雨", seconds = 8, input_reference = {
      image_url = "https://a.example/b.png" } },
      body.parse("application/json; charset=utf-8", [[{"prompt":"Rain 雨",
        "seconds":8,"size":null,"input_reference":{"image_url":
        "https://a.example/b.png"}}]]))
    assert.same({}, body.parse("Application/JSON", "{}"))
  end)

  it("is a form, with lists and objects", function()
    assert.same({ prompt = "Rain\r\n雨", seconds = "8",
      input_reference = { image_url = "https://a.example/b.png" },
      referenceImages = { "u1", "u2", "u1" } },
      body.parse(FORM, form("prompt", "Rain\r\n雨", "referenceImages[]", "u1",
        "input_reference[image_url]", "https://a.example/b.png",
        "referenceImages[]", "u2", "seconds", "8", "referenceImages[]", "u1")))
  end)

  it("is of no other type", function()
    for _, kind in ipairs { "", "text/plain", "application/x-www-form-urlencoded",
      "application/jsonp", "text/plain; a=application/json" } do
      assert.equal(415, refused(kind, "{}", "unsupported_media_type").status)
    end
    assert.is_nil(body.parse(nil, "{}"))
  end)

  it("is refused where it is too large", function()
    local refusal = refused("application/json", (" "):rep(65537), "too_large")
    assert.equal(413, refusal.status)
    assert.truthy(body.parse("application/json", "{" .. (" "):rep(65534) .. "}"))
  end)

  it("is refused where it is no JSON object", function()
    for _, text in ipairs { "", "{", "null", "7", '"a"', "[1]", '{"a":nan}',
      "{}{}", ("["):rep(200) } do
      refused("application/json", text, "invalid_json")
    end
  end)

  it("is refused where its form contradicts itself", function()
    for _, given in ipairs { { "a", "1", "a", "2" }, { "a", "1", "a[]", "2" },
      { "a[]", "1", "a", "2" }, { "a[b]", "1", "a[]", "2" },
      { "a[]", "1", "a[b]", "2" }, { "a[b]", "1", "a[b]", "2" },
      { "a[][b]", "1" }, { "a[b][c]", "1" }, { "[a]", "1" }, { "a[b", "1" } } do
      local refusal = refused(FORM, form((table.unpack or unpack)(given)),
        "invalid_form")
      assert.equal(given[3] or given[1], refusal.param)
    end
    refused("multipart/form-data", form("a", "1"), "invalid_form")
    refused(FORM, "", "invalid_form")
  end)

  it("is refused with an uploaded file, whose field is named", function()
    local refusal = refused(FORM, form("prompt", "x", "input_reference",
      { "\137PNG" }), "upload_not_supported")
    assert.equal(400, refusal.status)
    assert.equal("input_reference", refusal.param)
    assert.truthy(refusal.message:find("URL", 1, true))
  end)

  it("is refused where a text is not valid UTF-8 without a NUL", function()
    local wrong = { "\255", "a\0", "\237\160\128" }
    for _, text in ipairs(wrong) do
      assert.equal("prompt", refused(FORM, form("prompt", text), "invalid_value")
        .param)
      assert.equal("a", refused(FORM, form("a[]", "x", "a[]", text),
        "invalid_value").param)
      local refusal = refused(FORM, form(text, "x"), text:find "%z"
        and "invalid_form" or "invalid_value")
      assert.is_true(pcall(json.encode, refusal))
      assert.is_nil(refusal.message:find(text, 1, true))
    end
    assert.equal("a", refused("application/json", '{"a":{"b":["x\\u0000"]}}',
      "invalid_value").param)
    refused("application/json", '{"a":"\255"}', "invalid_value")
  end)

  it("is refused where it is nested too deep", function()
    local function nested(depth)
      return ('{"a":'):rep(depth - 1) .. "{}" .. ("}"):rep(depth - 1)
    end
    assert.truthy(body.parse("application/json", nested(8)))
    assert.equal("a", refused("application/json", nested(9), "invalid_value")
      .param)
  end)

  it("leaves out what nobody filled in of a form", function()
    local empty = '--b\r\nContent-Disposition: form-data; name="reference";'
      .. ' filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n'
    assert.same({ prompt = "Rain" }, body.parse(FORM, empty
      .. form("prompt", "Rain", "size", "", "seconds", "", "a[]", "", "b[c]", "",
        "size", "")))
    refused(FORM, (empty:gsub("\r\n\r\n\r\n", "\r\n\r\nbytes\r\n")) .. form("a", "1"),
      "upload_not_supported")
    refused(FORM, (empty:gsub('filename=""', 'filename="a.png"')) .. form("a", "1"),
      "upload_not_supported")
  end)

  it("may begin with a byte order mark", function()
    assert.same({ a = 1 }, body.parse("application/json", '\239\187\191{"a":1}'))
  end)

  it("is refused in another charset", function()
    for _, charset in ipairs { "utf-16", '"ISO-8859-1"', "" } do
      assert.equal(415, refused("application/json; charset=" .. charset, "{}",
        "unsupported_media_type").status)
    end
    assert.same({}, body.parse('application/json;charset="UTF-8"', "{}"))
  end)

  it("is refused compressed, and is told so", function()
    for _, encoding in ipairs { "gzip", "deflate", "br", "GZIP", "identity" } do
      local fields, refusal = body.read { body = function() return "{}" end,
        header = function(name)
          return name == "Content-Encoding" and encoding or "application/json"
        end }
      assert.equal(encoding == "identity", fields ~= nil)
      assert.is_true(fields ~= nil or refusal.status == 415
        and refusal.message:find "compressed" ~= nil)
    end
  end)

  it("is read of a request", function()
    local fields = body.read {
      header = function(name)
        return name == "Content-Type" and "application/json" or nil
      end,
      body = function() return '{"a":1}' end,
    }
    assert.same({ a = 1 }, fields)
  end)
end)
