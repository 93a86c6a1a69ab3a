local file_head = require "starvideos.base.file_head"

describe("the head of a media host's answer", function()
  it("says whether a file follows", function()
    for _, case in ipairs { { 200, "video/mp4" }, { 206, "video/mp4" },
      { 200, nil }, { 200, "application/octet-stream" } } do
      assert.is_true(file_head.is_file(case[1], { ["content-type"] = case[2] }))
    end
    for _, case in ipairs { { 404, "video/mp4" }, { 302, nil },
      { 200, "text/html; charset=utf-8" }, { 200, " TEXT/plain" },
      { 206, "Application/JSON" } } do
      assert.is_false(file_head.is_file(case[1],
        { ["content-type"] = case[2] }))
    end
  end)

  it("says whether a file may follow that is called something else", function()
    for _, status in ipairs { 200, 203, 206 } do
      assert.is_true(file_head.may_be_file(status))
    end
    for _, status in ipairs { 201, 204, 226, 302, 404, 500 } do
      assert.is_false(file_head.may_be_file(status))
    end
  end)

  it("takes the length of an answer that does not say which part it is",
    function()
      assert.same({ total = 7 }, file_head.version(206,
        { ["content-length"] = "7" }))
    end)

  it("takes what was asked for whole, and does not say that it is a part",
    function()
      for _, range in ipairs { false, "bytes 0-4/5", "lines 1-2/3" } do
        assert.is_nil(file_head.mismatch(
          { ["content-range"] = range or nil }, 0, {}))
      end
      for _, range in ipairs { "bytes 1-4/5", "bytes 3-4/*" } do
        assert.equal("protocol", file_head.mismatch(
          { ["content-range"] = range }, 0, {}))
      end
    end)

  it("says which version it is, and how long the whole file", function()
    assert.same({ etag = '"1"', last_modified = "then", total = 5 },
      file_head.version(200, { etag = '"1"', ["last-modified"] = "then",
        ["content-length"] = "5" }))
    assert.same({ total = 5012 }, file_head.version(206,
      { ["content-length"] = "2", ["content-range"] = "bytes 3-4/5012" }))
    for _, range in ipairs { "bytes 3-4/*", "bytes 3-4", "lines 3-4/5" } do
      assert.same({}, file_head.version(206, { ["content-length"] = "2",
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
      assert.equal(case[1], file_head.mismatch(case[2], 3, version))
    end
    assert.is_nil(file_head.mismatch(
      { ["content-range"] = "bytes 3-4/9", etag = '"9"' }, 3, {}))
  end)
end)
