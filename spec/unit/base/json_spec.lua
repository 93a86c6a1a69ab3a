local c_locale = require "starvideos.base.c_locale"
local json = require "starvideos.base.json"
local cjson = require "cjson"

--- Looks at every key and value below `value` for something of `kind`.
local function holds(value, kind)
  if type(value) == kind then return true end
  if type(value) ~= "table" then return false end
  for key, item in pairs(value) do
    if holds(key, kind) or holds(item, kind) then return true end
  end
  return false
end

describe("json.decode", function()
  it("reads objects, arrays, strings, numbers and booleans", function()
    local value = json.decode [[
      {"id":"video_1","created":1700000000,"ok":true,"off":false,
       "list":["a","b"],"nested":{"seconds":2.5}}]]
    assert.same({ id = "video_1", created = 1700000000, ok = true, off = false,
                  list = { "a", "b" }, nested = { seconds = 2.5 } }, value)
  end)

  it("makes null nil at every depth", function()
    local value = json.decode
      '{"a":null,"b":{"c":null,"d":{"e":null}},"f":[[null],{"g":null}]}'
    assert.is_nil(value.a)
    assert.is_nil(value.b.c)
    assert.is_nil(value.b.d.e)
    assert.is_nil(value.f[2].g)
    assert.is_false(holds(value, "userdata"))
  end)

  it("keeps the places of an array that holds nulls", function()
    local value = json.decode '{"list":["first",null,"third"]}'
    assert.equal("first", value.list[1])
    assert.is_nil(value.list[2])
    assert.equal("third", value.list[3])
  end)

  it("tells where a number in a list or object may have been rounded", function()
    for text, expected in pairs {
      ['{"id":1234567890123456}'] = true,
      ['{"data":[{"id":-1234567890123456}]}'] = true,
      ['{"created":1760000000,"id":"1234567890123456"}'] = false,
      ['{"id":999999999999999,"progress":0.5}'] = false,
    } do
      local _, _, is_rounded = json.decode(text)
      assert.equal(expected, is_rounded, text)
    end
  end)

  it("makes a lone null nil", function()
    assert.is_nil((json.decode "null"))
  end)

  it("reads escapes and UTF-8 to the same bytes", function()
    local value = json.decode
      '["\\u767b\\u5f55", "登录", "\\ud83c\\udfac", "a\\/b", "\\u0000"]'
    assert.same({ "登录", "登录", "🎬", "a/b", "\0" }, value)
  end)

  local broken = {
    { "an empty text", "" },
    { "blanks alone", " \n\t " },
    { "an HTML page", "<html><body>502 Bad Gateway</body></html>" },
    { "an object cut short", '{"id":"video_1","status":"que' },
    { "an array cut short", '["a",' },
    { "text after the value", '{"id":"video_1"} trailing' },
    { "two values", '{"id":"a"}{"id":"b"}' },
    { "single quotes", "{'id':'video_1'}" },
    { "a broken escape", '["\\u12G4"]' },
    { "bytes that are no text", "\255\254\0\1" },
    { "10,000 nested arrays", ("["):rep(10000) .. ("]"):rep(10000) },
    { "10,000 nested objects",
      ('{"a":'):rep(10000) .. "1" .. ("}"):rep(10000) },
    { "10,000 arrays never closed", ("["):rep(10000) },
  }
  for _, case in ipairs(broken) do
    it("returns nil and a message for " .. case[1], function()
      local value, message = json.decode(case[2])
      assert.is_nil(value)
      assert.is_string(message)
      assert.is_true(#message > 0)
    end)
  end

  it("reads a body nested as deep as answers really are", function()
    local text = ('{"data":'):rep(12) .. '{"id":"x"}' .. ("}"):rep(12)
    local value = assert(json.decode(text))
    for _ = 1, 12 do value = value.data end
    assert.equal("x", value.id)
  end)
end)

describe("json.encode", function()
  it("writes what decode reads back", function()
    local value = { prompt = 'a "quoted"\n\\ 提示 🎬 \1\127',
                    list = { "a", "b", "a" }, duration = 5, ok = true }
    assert.same(value, json.decode(json.encode(value)))
  end)

  it("writes a whole number without a fraction", function()
    assert.equal("[5]", json.encode { 5 })
    assert.equal("[5]", json.encode { 10 / 2 })
  end)

  it("writes a Unix time in full", function()
    assert.equal("[1700000000]", json.encode { 1700000000 })
  end)

  -- Beyond 14 digits cjson of many systems would change them.
  local exact = {
    { 1234567890123456, "1234567890123456" },
    { 9007199254740991, "9007199254740991" },
    { -9007199254740991, "-9007199254740991" },
    { 1700000000.123456, "1700000000.123456" },
    { 0.1 + 0.2, "0.30000000000000004" },
    { 0.1, "0.1" }, { 1e-7, "1e-07" }, { 1e300, "1e+300" },
    { 12345678901234567890, "1.2345678901234567e+19" },
  }
  for _, case in ipairs(exact) do
    it("loses no digit of " .. case[2], function()
      local text = json.encode { case[1] }
      assert.equal("[" .. case[2] .. "]", text)
      assert.equal(case[1], cjson.new().decode(text)[1])
    end)
  end

  it("reads back any number as the same", function()
    local state = 1
    for _ = 1, 2000 do
      state = state * 16807 % 2147483647
      local number = (state - 2 ^ 30) * 2 ^ (state % 200 - 100) / 3
      assert.equal(number, c_locale.tonumber(json.encode(number)))
    end
  end)

  it("writes the same text for equal tables", function()
    assert.equal('{"a":1,"b":[1,2],"c":{"d":"e","f":"g"}}',
      json.encode { c = { f = "g", d = "e" }, b = { 1, 2 }, a = 1 })
  end)

  local circle = {}
  circle.circle = circle
  for name, value in pairs { ["a function"] = { print }, ["a hole"] = { 1, nil, 3 },
    NaN = { 0 / 0 }, infinity = { 1 / 0 }, ["a circle"] = circle,
    ["a field named true"] = { [true] = 1 } } do
    it("refuses " .. name, function()
      assert.is_false((pcall(json.encode, value)))
    end)
  end

  it("keeps the order and the repeats of an array", function()
    local urls = { "https://a.test/2", "https://a.test/1", "https://a.test/2" }
    assert.same(urls, cjson.new().decode(json.encode(urls)))
  end)

  it("writes json.null as null", function()
    assert.equal('{"error":null}', json.encode { error = json.null })
  end)

  it("writes json.empty_list as an empty list, which stays empty", function()
    assert.equal('{"data":[]}', json.encode { data = json.empty_list })
    assert.has_error(function() json.empty_list[1] = 1 end)
  end)
end)

describe("the JSON instance of the library", function()
  it("is not changed by the settings of the host's cjson", function()
    local before = cjson.encode_number_precision()
    finally(function() cjson.encode_number_precision(before) end)
    cjson.encode_number_precision(3)
    assert.equal("[1700000000]", json.encode { 1700000000 })
  end)

  it("does not change how deep the host's cjson decodes", function()
    local text = ("["):rep(900) .. ("]"):rep(900)
    assert.is_table(cjson.decode(text))
    json.decode '{"a":null}'
    assert.is_table(cjson.decode(text))
    assert.equal(cjson.null, cjson.decode '[null]'[1])
  end)
end)
