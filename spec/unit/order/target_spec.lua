local targets = require "starvideos.order.target"

describe("the path of a video in a list", function()
  it("is the same however it is written", function()
    for _, path in ipairs { "a/b.mp4", "./a/b.mp4", "a//b.mp4", "a/./b.mp4",
      ".//a/././b.mp4" } do
      assert.equal("a/b.mp4", (targets.normal(path)))
    end
    assert.equal("/a/b.mp4", (targets.normal("//a/./b.mp4", "posix")))
    assert.equal("生.mp4", (targets.normal "生.mp4"))
    assert.equal("a..b/...mp4", (targets.normal "a..b/...mp4"))
  end)

  local cases = {
    { "..", "bad_path" }, { "../a.mp4", "bad_path" },
    { "a/../b.mp4", "bad_path" }, { "a/..", "bad_path" },
    { "/a/../b.mp4", "bad_path" }, { "./../a.mp4", "bad_path" },
    { "", "bad_path" }, { ".", "bad_path" }, { "a/", "bad_path" },
    { "a/.", "bad_path" }, { "/", "bad_path" }, { "./", "bad_path" },
    { "a\0.mp4", "bad_path" }, { "a\n.mp4", "bad_path" },
    { "a\127.mp4", "bad_path" }, { "a\255.mp4", "encoding" },
    { "a.mp4.part", "bad_path" }, { "a/b.part.json", "bad_path" },
    { "a.mp4.lock", "bad_path" },
    { ("x"):rep(246), "too_long" }, { ("x"):rep(256) .. "/a.mp4", "too_long" },
    { ("x/"):rep(511) .. "aaa", "too_long" },
    { 5, "type" }, { {}, "type" }, { true, "type" },
  }
  for _, case in ipairs(cases) do
    it(("is refused: %q"):format(tostring(case[1]):sub(1, 20)), function()
      local path, code, problem = targets.normal(case[1])
      assert.is_nil(path)
      assert.equal(case[2], code)
      assert.equal("string", type(problem))
    end)
  end

  it("is the same on Windows with either slash", function()
    for _, path in ipairs { "a/b.mp4", "a\\b.mp4", ".\\a/\\b.mp4" } do
      assert.equal("a/b.mp4", (targets.normal(path, "windows")))
    end
    assert.equal("C:/a/b.mp4", (targets.normal("c:\\a\\.\\b.mp4",
      "windows")))
    assert.equal("//server/share/b.mp4", (targets.normal(
      "\\\\server\\share\\b.mp4", "windows")))
    assert.equal("a\\b.mp4", (targets.normal("a\\b.mp4", "posix")))
  end)

  for _, path in ipairs { "con.mp4", "a/NUL", "Com1 .mp4", "a:b.mp4", "c:a.mp4",
    "a?.mp4", "a./b.mp4", "a.mp4.", "a.mp4 ", "..\\a.mp4", "a\\..\\b.mp4",
    "a\\" } do
    it("is refused on Windows: " .. path, function()
      local normal, code, problem = targets.normal(path, "windows")
      assert.is_nil(normal)
      assert.equal("bad_path", code)
      assert.equal("string", type(problem))
    end)
  end

  it("may be as long as a file system takes it with what stands beside", function()
    local name = ("x"):rep(245)
    assert.equal(name, (targets.normal(name)))
    local folder = ("x"):rep(255) .. "/a.mp4"
    assert.equal(folder, (targets.normal(folder)))
  end)

  it("has folders", function()
    local list = {}
    for folder in targets.folders "a/b/c.mp4" do
      list[#list + 1] = folder
    end
    for folder in targets.folders "/d/e.mp4" do
      list[#list + 1] = folder
    end
    assert.is_nil(targets.folders "f.mp4"())
    assert.same({ "a", "a/b", "/d" }, list)
  end)
end)

describe("the file name of a key", function()
  it("is the key, where that is fit for one", function()
    assert.equal("kite-1.mp4", targets.of_key("kite-1", 1))
    assert.equal("kite.take-2.mp4", targets.of_key("kite", 2))
  end)

  it("is another for each key, and leads nowhere else", function()
    local seen = {}
    for _, key in ipairs { "a/b", "a_b", "a b", "../a", "..", ".a",
      ("x"):rep(300), ("x"):rep(301), "生" } do
      local name = targets.of_key(key, 1)
      assert.is_nil(seen[name], key)
      seen[name] = true
      assert.equal(name, (targets.normal(name)))
      assert.is_nil(name:find("/", 1, true))
    end
  end)
end)
