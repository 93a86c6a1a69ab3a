local paths = require "starvideos.base.path"

describe("a path", function()
  it("is absolute where it begins at a root, and on Windows on a drive", function()
    assert.is_true(paths.is_absolute("/a", "posix"))
    for _, path in ipairs { "a", "c:/a", "\\a", "" } do
      assert.is_false(paths.is_absolute(path, "posix"), path)
    end
    for _, path in ipairs { "/a", "\\a", "\\\\s\\a", "c:/a", "C:\\a", "c:a" } do
      assert.is_true(paths.is_absolute(path, "windows"), path)
    end
    for _, path in ipairs { "a", "a/b", "a\\b", "" } do
      assert.is_false(paths.is_absolute(path, "windows"), path)
    end
  end)

  it("that is kept may be of a machine of another system", function()
    for _, path in ipairs { "/a", "C:/a", "//server/a" } do
      assert.is_true(paths.is_rooted(path))
    end
    for _, path in ipairs { "a/b", "a", "c:a", "" } do
      assert.is_false(paths.is_rooted(path))
    end
  end)

  it("is written with slashes, wherever it came from", function()
    assert.equal("C:/a/b", paths.unified("c:\\a/b", "windows"))
    assert.equal("c:\\a/b", paths.unified("c:\\a/b", "posix"))
  end)

  it("has a folder, unless it is a name alone", function()
    assert.equal("a/b", paths.folder("a/b/c.mp4", "posix"))
    assert.equal("a/b", paths.folder("a\\b\\c.mp4", "windows"))
    assert.is_nil(paths.folder("c.mp4", "windows"))
    assert.is_nil(paths.folder("a\\c.mp4", "posix"))
  end)

  it("is a device on Windows with any ending", function()
    for _, name in ipairs { "nul", "CON.mp4", "Lpt9.a.b", "aux " } do
      assert.is_true(paths.is_device(name, "windows"), name)
      assert.is_false(paths.is_device(name, "posix"), name)
    end
    for _, name in ipairs { "null", "con-1.mp4", "com10.mp4", "a.con" } do
      assert.is_false(paths.is_device(name, "windows"), name)
    end
  end)
end)
