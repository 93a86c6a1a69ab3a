-- What a program is told whose Lua cannot find the part in C.

describe("a library that is not found for this Lua", function()
  local kept, loaders, archive

  before_each(function()
    kept, loaders, archive = {}, package.cpath, rawget(_G, "love")
    for name, module in pairs(package.loaded) do
      if name:find "^starvideos" then
        kept[name] = module
      end
    end
    for name in pairs(kept) do
      package.loaded[name] = nil
    end
    package.cpath = "/here/?.so;/there/lib/?.so"
  end)

  after_each(function()
    for name, module in pairs(kept) do
      package.loaded[name] = module
    end
    package.cpath = loaders
    rawset(_G, "love", archive)
  end)

  it("is named with the places it was looked for in", function()
    local ok, message = pcall(require, "starvideos")
    assert.is_false(ok)
    assert.matches("/here/starvideos[/\\]core%.so, /there/lib/starvideos[/\\]core%.so",
      message)
    assert.truthy(message:find("make LUA=", 1, true))
    assert.is_nil(message:find(".love", 1, true))
  end)

  it("is not looked for in an archive of LÖVE", function()
    rawset(_G, "love", {})
    local _, message = pcall(require, "starvideos")
    assert.truthy(message:find("a .love file cannot be loaded", 1, true),
      message)
  end)
end)
