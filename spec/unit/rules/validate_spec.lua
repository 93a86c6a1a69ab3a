local cjson = require "cjson"
local core = require "starvideos.core"
local interpreter = require "spec.fixtures.interpreter"

local NULL = cjson.null
local NONE = {} -- a field that a case leaves out
local URL = "https://cdn.example/1.png"
local INF = math.huge

local default, xingchao, mingyan = core.catalog {},
  core.catalog { edition = "xingchao" }, core.catalog { edition = "mingyan" }

--- A valid order, with changes; NONE takes a field away.
local function order(changes)
  local params = { model = "videos", prompt = "a kite", duration = 5 }
  for name, value in pairs(changes or {}) do
    if rawequal(value, NONE) then value = nil end
    params[name] = value
  end
  return params
end

--- "field code" of each violation.
local function said(issues)
  local list = {}
  for i, issue in ipairs(issues or {}) do
    list[i] = issue.field .. " " .. issue.code
  end
  return list
end

local function refused(changes, catalog)
  local ok, violations, warnings = (catalog or default)
    :validate(order(changes))
  assert.is_false(ok)
  return violations, warnings
end

local function passes(changes, catalog)
  local ok, warnings = (catalog or default):validate(order(changes))
  assert.is_true(ok, not ok and warnings[1].message)
  return warnings
end

local function contains(text, part)
  assert.truthy(text:find(part, 1, true), ("%q has no %q"):format(text, part))
end

describe("the codes", function()
  it("are those of the one table, in its order", function()
    assert.same({ "required", "type", "not_integer", "out_of_range",
      "unsupported_value", "too_long", "encoding", "too_many",
      "not_supported", "incomplete_pair", "conflict", "bad_url",
      "unknown_model", "unknown_field", "media_too_large", "media_too_long",
      "media_too_short", "media_resolution" }, core.codes)
    assert.same({ "ignored_field", "advisory" }, core.warning_codes)
  end)
end)

describe("validate", function()
  -- { changes, field and code of the one violation, a part of its message,
  --   actual, limit }
  local cases = {
    { { model = NONE }, "model required", "use one of starvideos_o3" },
    { { model = 5 }, "model type", "got a number", "number" },
    { { model = NULL }, "model type", "leave it out", "null" },
    { { model = "" }, "model unknown_model", "use one of", "" },
    { { model = "vidoes_fast" }, "model unknown_model",
      "did you mean videos_fast?", "vidoes_fast" },
    { { prompt = NONE }, "prompt required", "is required" },
    { { prompt = "" }, "prompt required", "blank" },
    { { prompt = " \t\r\n" }, "prompt required", "blank" },
    { { prompt = "\227\128\128\227\128\128" }, "prompt required", "blank" },
    { { prompt = "\194\160\226\128\139\239\187\191" }, "prompt required",
      "blank" },
    { { prompt = 5 }, "prompt type", "got a number", "number" },
    { { prompt = NULL }, "prompt type", "leave it out", "null" },
    { { prompt = { "a kite" } }, "prompt type", "got a table", "table" },
    { { duration = NONE }, "duration required", "from 4 to 15" },
    { { duration = 8.5 }, "duration not_integer", "got 8.5", 8.5 },
    { { duration = "8" }, "duration type", "write 8 without quotes",
      "string" },
    { { duration = "8s" }, "duration type", "got a string", "string" },
    { { duration = true }, "duration type", "got a boolean", "boolean" },
    { { duration = NULL }, "duration type", "leave it out", "null" },
    { { duration = 3 }, "duration out_of_range", "from 4 to 15", 3, 4 },
    { { duration = 16 }, "duration out_of_range", "from 4 to 15", 16, 15 },
    { { duration = -1 }, "duration out_of_range", "got -1", -1, 4 },
    { { duration = 1e300 }, "duration out_of_range", "1e+300", 1e300, 15 },
    { { duration = 0 / 0 }, "duration not_integer", "got NaN", "NaN" },
    { { duration = INF }, "duration not_integer", "infinity", "infinity" },
    { { duration = -INF }, "duration not_integer", "-infinity",
      "-infinity" },
    { { ratio = "5:4" }, "ratio unsupported_value", 'got "5:4"', "5:4",
      "21:9, 16:9, 4:3, 1:1, 3:4, 9:16" },
    { { ratio = 16 }, "ratio type", "got a number", "number" },
    { { ratio = "" }, "ratio unsupported_value", 'got ""', "" },
    { { resolution = "720P" }, "resolution unsupported_value",
      "must be 720p", "720P", "720p" },
    { { resolution = 720 }, "resolution type", "got a number", "number" },
    { { first_image = URL }, "first_image incomplete_pair",
      "needs last_image" },
    { { last_image = URL }, "last_image incomplete_pair",
      "needs first_image" },
    { { image = URL }, "image incomplete_pair", "needs last_image" },
    { { lastFrameImage = URL }, "lastFrameImage incomplete_pair",
      "needs first_image" },
    { { first_image = 5, last_image = URL }, "first_image type",
      "got a number", "number" },
    { { first_image = {}, last_image = URL }, "first_image.url required",
      "is required" },
    { { referenceImages = URL }, "referenceImages type", "an array of URLs",
      "string" },
    { { referenceImages = NULL }, "referenceImages type", "leave it out",
      "null" },
    { { referenceImages = { URL, 5 } }, "referenceImages[2] type",
      "got a number", "number" },
    { { referenceImages = { NULL } }, "referenceImages[1] type",
      "leave it out", "null" },
    { { referenceImages = { URL, nil, URL } }, "referenceImages[2] type",
      "no holes", "nil" },
    { { referenceImages = { [2 ^ 40] = URL } }, "referenceImages[1] type",
      "up to [1099511627775]", "nil" },
    { { referenceImages = { URL, [0] = URL } }, "referenceImages[0] type",
      "not a position" },
    { { referenceImages = { URL, [1.5] = URL } },
      "referenceImages[1.5] type", "not a position" },
    { { referenceImages = { url = URL } }, "referenceImages.url type",
      "not a position" },
    { { referenceImages = { { URL } } }, "referenceImages[1].url required",
      "the URL of the medium", nil, nil, "referenceImages[1][1]" },
    { { referenceImages = { { url = 5 } } }, "referenceImages[1].url type",
      "got a number", "number" },
    { { referenceImages = { { url = URL, urll = 1 } } },
      "referenceImages[1].urll unknown_field", "did you mean url?" },
    { { referenceImages = { { url = URL, size = 1 } } },
      "referenceImages[1].size unknown_field", "bytes, duration, width" },
    { { referenceImages = { { url = URL, bytes = "1" } } },
      "referenceImages[1].bytes type", "whole number", "string" },
    { { referenceImages = { { url = URL, bytes = -1 } } },
      "referenceImages[1].bytes out_of_range", "0 or more", -1, 0 },
    { { referenceImages = { { url = URL, width = 0.5 } } },
      "referenceImages[1].width not_integer", "got 0.5", 0.5 },
    { { referenceVideos = { { url = URL, duration = 0 / 0 } } },
      "referenceVideos[1].duration out_of_range", "got NaN", "NaN" },
    { { promt = "a kite" }, "promt unknown_field", "did you mean prompt?" },
    { { referenceImage = { URL } }, "referenceImage unknown_field",
      "did you mean referenceImages?" },
    { { seed = 1 }, "seed unknown_field", "leave it out" },
    { { [7] = 1 }, "[7] unknown_field", "leave it out" },
    { { [print] = 1 }, "[function] unknown_field", "leave it out" },
    { { ["a\27[31m\0\n"] = 1 }, "a\\x1B[31m\\x00\\x0A unknown_field",
      "leave it out" },
  }

  for i, case in ipairs(cases) do
    it(("says %s (case %d: %s)"):format(case[2], i, case[3]), function()
      local violations = refused(case[1])
      local more = case[6] and case[6] .. " unknown_field"
      assert.same({ case[2], more }, said(violations))
      contains(violations[1].message, case[3])
      assert.equal(case[4], violations[1].actual)
      if case[5] then assert.equal(case[5], violations[1].limit) end
    end)
  end

  it("needs no more than a model and a prompt for starvideos_o3", function()
    assert.is_nil(passes { model = "starvideos_o3", duration = NONE })
  end)

  it("takes an empty array for an absent field", function()
    passes { referenceImages = {}, referenceVideos = {}, referenceAudios = {},
      first_image = URL, last_image = URL }
    passes { model = "starvideos_o3", referenceAudios = {} }
  end)

  it("takes a float that is whole for a duration", function()
    passes { duration = 8.0 }
  end)

  it("refuses four by three where only three ratios are", function()
    assert.same({ "ratio unsupported_value" },
      said(refused({ ratio = "4:3" }, xingchao)))
    passes({ ratio = "4:3" }, mingyan)
  end)

  it("refuses five images where four are allowed", function()
    local violations = refused(
      { referenceImages = { URL, URL, URL, URL, URL } }, xingchao)
    assert.same({ "referenceImages too_many" }, said(violations))
    assert.equal(4, violations[1].limit)
    assert.equal(5, violations[1].actual)
  end)

  it("raises where params are not a table", function()
    for _, params in ipairs { "videos", 5, true, print } do
      assert.has_error(function() default:validate(params) end)
    end
    assert.has_error(function() default:validate() end)
    assert.has_error(function() default.validate({}, {}) end)
  end)

  it("does not call metamethods of params", function()
    local function fail() error "called" end
    local odd = { __index = fail, __len = fail, __pairs = fail, __eq = fail,
      __tostring = fail }
    passes { referenceImages = setmetatable({ URL }, odd) }
    assert.is_true((default:validate(setmetatable(order(), odd))))
  end)

  it("leaves params as they were", function()
    local params = order { referenceImages = { URL, { url = URL, x = 1 } },
      zebra = 1 }
    default:validate(params)
    assert.same(order { referenceImages = { URL, { url = URL, x = 1 } },
      zebra = 1 }, params)
  end)
end)

describe("a URL", function()
  local good = { "http://h", "HTTPS://H/x?y#z", "https://h:8443/",
    "https://user:pass@h/", "https://[::1]/",
    "https://\228\184\173.cn/\195\169", "https://h/%20?a=b&c=d" }
  local bad = { "", "javascript:alert(1)", "data:image/png;base64,AA==",
    "ftp://h/x", "//h/x", "/x.png", "x.png", "https://", "https:///x",
    "https://?x", "https://:80/", "https://user@/", "https:/h", "https//h",
    " https://h", "https://h ", "https://h/a b", "https://h/a\nb",
    "https://h/\0", "https://h/\127", "https://h/\227\128\128",
    "https://h/\255", "file:///etc/passwd", "httpss://h" }

  it("may be any http or https URL with a host", function()
    for _, url in ipairs(good) do
      passes { referenceImages = { url, { url = url } } }
    end
  end)

  for i, url in ipairs(bad) do
    it(("is none: %q (%d)"):format(url, i):gsub("%c", "?"), function()
      assert.same({ "referenceImages[1] bad_url",
        "referenceImages[2].url bad_url" },
        said(refused { referenceImages = { url, { url = url } } }))
      assert.same({ "first_image bad_url" },
        said(refused { first_image = url, last_image = URL }))
    end)
  end

  it("is told without its query and its password", function()
    for _, url in ipairs { "ftp://h/x?secret", "ftp://u:secret@h/",
      "https://h/ a?secret", "https://u:secret@h/a b" } do
      local violation = refused { referenceImages = { url } }[1]
      assert.is_nil(violation.message:find("secret", 1, true))
      assert.is_nil(violation.actual:find("secret", 1, true))
    end
  end)
end)

describe("a prompt", function()
  local characters = { one = "x", two = "\195\169", three = "\228\184\173",
    four = "\240\159\152\128" }
  for bytes, character in pairs(characters) do
    it(("counts characters of %s bytes once"):format(bytes), function()
      passes({ prompt = character:rep(1500) }, xingchao)
      local violation = refused({ prompt = character:rep(1501) }, xingchao)[1]
      assert.equal("too_long", violation.code)
      assert.equal(1500, violation.limit)
      assert.equal(1501, violation.actual)
    end)
  end

  it("counts a letter and its combining accent as two", function()
    passes({ prompt = ("e\204\129"):rep(750) }, xingchao)
    assert.equal(1502,
      refused({ prompt = ("e\204\129"):rep(751) }, xingchao)[1].actual)
  end)

  it("of 5001 Chinese characters is one too long", function()
    local changes = { model = "videos_stable", duration = 10,
      prompt = ("\228\184\173"):rep(5001) }
    local violation = refused(changes)[1]
    assert.equal("too_long", violation.code)
    assert.equal(5001, violation.actual)
    changes.prompt = ("\228\184\173"):rep(5000)
    passes(changes)
  end)

  it("of 10 MB is too long only where there is a limit", function()
    local prompt = ("x"):rep(10 * 1048576)
    local violations = refused({ prompt = prompt }, xingchao)
    assert.same({ "prompt too_long" }, said(violations))
    assert.equal(10485760, violations[1].actual)
    assert.is_true(#violations[1].message < 200)
    passes({ prompt = prompt }, mingyan)
  end)

  local malformed = {
    ["a lone byte"] = "\255", ["a lone continuation"] = "\128",
    ["a cut character"] = "\228\184", ["an overlong slash"] = "\192\175",
    ["an overlong slash in three"] = "\224\128\175",
    ["an overlong slash in four"] = "\240\128\128\175",
    ["a surrogate"] = "\237\160\128", ["a pair of surrogates"] =
      "\237\160\189\237\184\128", ["a point past the last"] =
      "\244\144\128\128", ["a lead without a tail"] = "\195(",
    ["a form of five bytes"] = "\248\136\128\128\128", Latin1 = "caf\233",
  }
  for name, bytes in pairs(malformed) do
    it("that holds " .. name .. " is no UTF-8", function()
      for _, prompt in ipairs { bytes, "a kite and " .. bytes,
        bytes .. " and a kite", ("x"):rep(2000) .. bytes } do
        assert.same({ "prompt encoding" },
          said(refused({ prompt = prompt }, xingchao)))
      end
    end)
  end

  it("says where its bytes go wrong", function()
    contains(refused { prompt = "abcdefghij\255" }[1].message, "byte 11")
  end)

  it("may hold any well-formed character", function()
    passes { prompt = "\0 \237\159\191\238\128\128\239\191\191"
      .. "\244\143\191\191" }
  end)
end)

describe("the old names of the frames", function()
  local other = "https://cdn.example/2.png"

  it("fill the frames, alone or mixed with the new ones", function()
    for _, names in ipairs { { "image", "lastFrameImage" },
      { "image", "last_image" }, { "first_image", "lastFrameImage" } } do
      passes { [names[1]] = URL, [names[2]] = other }
    end
  end)

  it("may repeat the new name's value, as a table or not", function()
    passes { first_image = URL, image = { url = URL, bytes = 1 },
      last_image = { url = other }, lastFrameImage = other }
  end)

  it("conflict where they differ, and both are named", function()
    local violations = refused { first_image = URL, image = other,
      last_image = URL, lastFrameImage = other }
    assert.same({ "image conflict", "lastFrameImage conflict" },
      said(violations))
    contains(violations[1].message, "first_image")
    contains(violations[2].message, "last_image")
  end)

  it("count as frames beside references", function()
    local violations = refused { image = URL, lastFrameImage = other,
      referenceImages = { URL }, referenceAudios = { URL } }
    assert.same({ "image conflict" }, said(violations))
    contains(violations[1].message, "referenceImages, referenceAudios")
  end)

  it("are refused for starvideos_o3, with the new name", function()
    local violations = refused { model = "starvideos_o3", image = URL,
      lastFrameImage = other }
    assert.same({ "image not_supported", "lastFrameImage not_supported" },
      said(violations))
    contains(violations[1].message, "write first_image")
    contains(violations[2].message, "write last_image")
  end)
end)

describe("what is wrong", function()
  it("is told all at once, in the order of the fields", function()
    assert.same({
      "prompt required", "duration out_of_range", "ratio unsupported_value",
      "resolution unsupported_value", "first_image bad_url",
      "first_image conflict", "last_image type", "image bad_url",
      "image conflict", "lastFrameImage.url required",
      "referenceImages too_many", "referenceImages[1] bad_url",
      "referenceImages[2] type", "referenceImages[9] type",
      "referenceImages.x type", "referenceVideos media_too_long",
      "referenceVideos[1].url bad_url",
      "referenceVideos[1].height not_integer", "referenceAudios type",
      "[1] unknown_field", "[2.5] unknown_field", "A unknown_field",
      "B unknown_field", "a unknown_field", "aa unknown_field",
      "\195\169 unknown_field", "[boolean] unknown_field",
    }, said(refused({
      prompt = " ", duration = 99, ratio = "5:4", resolution = "4k",
      first_image = "x", last_image = 5, image = "z", lastFrameImage = {},
      referenceImages = { "ftp://a", 5, URL, URL, URL, URL, URL, URL,
        [10] = URL, [11] = URL, x = URL },
      referenceVideos = { { url = "x", height = 1.5, duration = 16 } },
      referenceAudios = "x", a = 1, B = 1, A = 1, aa = 1, ["\195\169"] = 1,
      [1] = 1, [2.5] = 1, [true] = 1,
    }, mingyan)))
  end)

  it("with an unknown model is all that does not hang on it", function()
    assert.same({ "model unknown_model", "prompt encoding",
      "duration not_integer", "ratio type", "first_image incomplete_pair",
      "first_image conflict", "referenceImages[1] bad_url",
      "sed unknown_field" },
      said(refused { model = "no", prompt = "\255", duration = 8.5, ratio = 1,
        first_image = URL, referenceImages = { "x" }, sed = 1 }))
  end)

  it("stands beside the warnings", function()
    local violations, warnings = refused { model = "starvideos_o3", prompt =
      "", duration = 99, ratio = "5:4", referenceVideos = { URL } }
    assert.same({ "prompt required" }, said(violations))
    assert.same({ "duration ignored_field", "ratio ignored_field" },
      said(warnings))
  end)

  it("never refuses a length that the reference video overrides", function()
    for _, seconds in ipairs { 8.5, 99, -1 } do
      local ok, warnings = default:validate { model = "starvideos_o3",
        prompt = "x", duration = seconds, referenceVideos = { URL } }
      assert.is_true(ok)
      assert.same({ "duration ignored_field" }, said(warnings))
    end
  end)

  it("is given without a warnings list where there is none", function()
    assert.equal(2, select("#", default:validate(order { prompt = "" })))
    assert.equal(1, select("#", default:validate(order())))
  end)
end)

describe("an advisory", function()
  it("names what is likely to be taken, and the order passes", function()
    local warnings = passes { model = "videos_stable_fast", duration = 5 }
    assert.same({ "duration advisory" }, said(warnings))
    assert.equal("10, 15", warnings[1].limit)
    assert.equal(5, warnings[1].actual)
  end)
end)

describe("a frame that no reference image may be", function()
  it("is sent with a warning, under its old name, too", function()
    for first, last in pairs { first_image = "last_image",
      image = "lastFrameImage" } do
      local warnings = passes { [first] = { url = URL, bytes = 22020096 },
        [last] = URL }
      assert.same({ first .. " advisory" }, said(warnings))
    end
  end)

  it("is so for every limit of a caller's own row", function()
    local catalog = core.catalog { models = { { name = "videos", endpoint = "/v1",
      frames = {}, duration = {}, referenceImages = { max_bytes = 9,
      min_pixels = 300, min_duration = 2, max_duration = 3 } } } }
    for fact, value in pairs { bytes = 10, width = 299, duration = 4 } do
      local warnings = passes({ first_image = { url = URL, [fact] = value },
        last_image = URL }, catalog)
      assert.same({ "first_image advisory" }, said(warnings))
      contains(warnings[1].message, "should, as a reference must,")
      assert.equal(1, #refused({ referenceImages = { { url = URL,
        [fact] = value } } }, catalog))
    end
  end)
end)

describe("the clock that goes on while the machine sleeps", function()
  it("is never behind the one that may stand still", function()
    local before = core.boottime()
    local now = core.now()
    local after = core.boottime()
    assert.is_true(before <= after)
    assert.is_true(now <= after)
  end)
end)

describe("the size of a terminal", function()
  local function size_at(descriptor)
    local pipe = io.popen(([=[script -qec "stty cols 33 rows 7; %s -e 'print(
      require [[starvideos.core]].terminal_size(%d))'" /dev/null </dev/null
      2>&1]=]):gsub("\n", " "):format(interpreter, descriptor))
    local text = pipe:read "*a"
    pipe:close()
    return text
  end

  it("is what it is at present, and nothing where there is none", function()
    assert.truthy(size_at(2):find "^33%s7%s")
    assert.same({ n = 2 }, { n = select("#", core.terminal_size(99)),
      core.terminal_size(99) })
  end)
end)
