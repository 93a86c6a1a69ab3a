-- What npm installs for these specs is the same whenever somebody runs them, and
-- runs no script of a package's.

local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"

local function read(path)
  return assert(json.decode(assert(files.read(path), path)))
end

describe("the clients of others", function()
  local wanted, lock = read "spec/clients/package.json",
    read "spec/clients/package-lock.json"

  it("are named by exact versions", function()
    for _, list in ipairs { wanted.dependencies, wanted.optionalDependencies } do
      for name, version in pairs(list) do
        assert.truthy(version:gsub("^npm:[%w-]+@", ""):find "^%d+%.%d+%.%d+$", name)
      end
    end
  end)

  it("come by their digests, from whichever registry npm asks", function()
    for name, package in pairs(lock.packages) do
      if name ~= "" then
        assert.truthy(package.integrity:find "^sha512%-", name)
        assert.is_nil(package.resolved, name)
        assert.is_nil(package.hasInstallScript, name)
      end
    end
  end)

  it("are installed as the lock names them", function()
    local installed = read "build/clients/node_modules/.package-lock.json"
    for name, package in pairs(installed.packages) do
      assert.equal(lock.packages[name].integrity, package.integrity, name)
    end
    assert.truthy(next(installed.packages))
  end)
end)
