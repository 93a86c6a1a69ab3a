local http = require "starvideos.base.http"
local response = require "starvideos.sandbox.response"

describe("the date of a header", function()
  it("takes a year of two digits for the one nearest to fifty years ahead",
    function()
      local function year(digits, now)
        local text = ("Sunday, 06-Nov-%s 08:49:37 GMT"):format(digits)
        return os.date("!%Y", http.date(text, now))
      end
      local in_2026 = 1795000000
      assert.equal("2026", year("26", in_2026))
      assert.equal("2027", year("27", in_2026))
      assert.equal("2076", year("76", in_2026))
      assert.equal("1977", year("77", in_2026))
      assert.equal("1994", year("94", in_2026))
      assert.equal("2094", year("94", in_2026 + 30 * 31556952))
    end)

  it("knows leap years", function()
    assert.equal(1709164800,
      http.date("Thu, 29 Feb 2024 00:00:00 GMT", 0))
    assert.equal(951868800,
      http.date("Wed, 01 Mar 2000 00:00:00 GMT", 0))
  end)

  it("agrees with the calendar on every day of eighty years", function()
    for day = 0, 80 * 365, 7 do
      local seconds = day * 86400 + day % 86400
      assert.equal(seconds, (http.date(response.date(seconds), 0)))
    end
  end)
end)

describe("the head of a media host's answer", function()
  it("says whether a file follows", function()
    for _, case in ipairs { { 200, "video/mp4" }, { 206, "video/mp4" },
      { 200, nil }, { 200, "application/octet-stream" } } do
      assert.is_true(http.is_file(case[1], { ["content-type"] = case[2] }))
    end
    for _, case in ipairs { { 404, "video/mp4" }, { 302, nil },
      { 200, "text/html; charset=utf-8" }, { 200, " TEXT/plain" },
      { 206, "Application/JSON" } } do
      assert.is_false(http.is_file(case[1],
        { ["content-type"] = case[2] }))
    end
  end)

  it("says whether a file may follow that is called something else", function()
    for _, status in ipairs { 200, 203, 206 } do
      assert.is_true(http.may_be_file(status))
    end
    for _, status in ipairs { 201, 204, 226, 302, 404, 500 } do
      assert.is_false(http.may_be_file(status))
    end
  end)

  it("takes the length of an answer that does not say which part it is",
    function()
      assert.same({ total = 7 }, http.file_version(206,
        { ["content-length"] = "7" }))
    end)

  it("takes what was asked for whole, and does not say that it is a part",
    function()
      for _, range in ipairs { false, "bytes 0-4/5", "lines 1-2/3" } do
        assert.is_nil(http.mismatch(
          { ["content-range"] = range or nil }, 0, {}))
      end
      for _, range in ipairs { "bytes 1-4/5", "bytes 3-4/*" } do
        assert.equal("protocol", http.mismatch(
          { ["content-range"] = range }, 0, {}))
      end
    end)

  it("says which version it is, and how long the whole file", function()
    assert.same({ etag = '"1"', last_modified = "then", total = 5 },
      http.file_version(200, { etag = '"1"', ["last-modified"] = "then",
        ["content-length"] = "5" }))
    assert.same({ total = 5012 }, http.file_version(206,
      { ["content-length"] = "2", ["content-range"] = "bytes 3-4/5012" }))
    for _, range in ipairs { "bytes 3-4/*", "bytes 3-4", "lines 3-4/5" } do
      assert.same({}, http.file_version(206, { ["content-length"] = "2",
        ["content-range"] = range }))
    end
  end)

  local version = { etag = '"1"', last_modified = "then", total = 5 }
  local cases = {
    { nil, { ["content-range"] = "bytes 3-4/5" } },
    { nil, { ["content-range"] = "Bytes 3-4/*", etag = '"1"' } },
    { nil, { ["content-range"] = "bytes 3-4" } },
    { "protocol", {} },
    { "protocol", { ["content-range"] = "bytes 2-4/5" } },
    { "protocol", { ["content-range"] = "lines 3-4/5" } },
    { "protocol", { ["content-range"] = "bytes */5" } },
    { "changed", { ["content-range"] = "bytes 3-4/6" } },
    { "changed", { ["content-range"] = "bytes 3-4/5", etag = '"2"' } },
    { "changed", { ["content-range"] = "bytes 3-4/5",
      ["last-modified"] = "later" } },
  }
  it("says whether it is the rest of what was saved", function()
    for _, case in ipairs(cases) do
      assert.equal(case[1], http.mismatch(case[2], 3, version))
    end
    assert.is_nil(http.mismatch(
      { ["content-range"] = "bytes 3-4/9", etag = '"9"' }, 3, {}))
  end)
end)
