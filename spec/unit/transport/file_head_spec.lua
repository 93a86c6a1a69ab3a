local file_head = require "starvideos.transport.file_head"

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
