-- What a release is described by: one version everywhere, and a rockspec that
-- fits the tree.

local files = require "spec.fixtures.files"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local VERSION = starvideos._VERSION
local ROCKSPEC = ("rockspec/starvideos-%s-1.rockspec"):format(VERSION)

describe("the rockspec of the release", function()
  it("lists what is in the tree: else call `make rockspec`", function()
    local url = assert(files.read(ROCKSPEC):match 'url = "(.-)/starvideos%-')
    local generated = shell.read(shell.fill(
      "lua5.4 rockspec/generate.lua @version@ @url@",
      { version = VERSION, url = url }))
    assert.truthy(generated .. "\n" == files.read(ROCKSPEC),
      "the tree has other files than the rockspec: make rockspec")
  end)

  it("is the only one beside that of the checkout", function()
    assert.equal("rockspec/starvideos-scm-1.rockspec\n" .. ROCKSPEC,
      shell.read "ls rockspec/*.rockspec | LC_ALL=C sort -r")
  end)

  it("has the version that the changelog tells of", function()
    assert.truthy(files.read "CHANGELOG.md":find("\n## " .. VERSION .. "\n", 1,
      true))
  end)

  it("has the version that the command prints", function()
    assert.truthy(shell.read "starvideos --version":find("starvideos "
      .. VERSION, 1, true))
  end)
end)

describe("a source file in C", function()
  local EXPORTS = { ["csrc/binding/core.c"] = true, ["csrc/binding/curl.c"] = true }

  it("hides what it defines after its last header", function()
    local paths = shell.read "find csrc -name '*.c' | LC_ALL=C sort"
    for path in paths:gmatch "%S+" do
      local text = files.read(path)
      local hides = text:find('#include "rules/visibility.h"', 1, true)
      if EXPORTS[path] then
        assert.is_nil(hides, path)
      else
        assert.truthy(hides, path)
        for name in text:sub(hides + 1):gmatch '#%s*include ["<]([^">]+)' do
          assert.truthy(name:find "visibility%.h$" or name:find "%.inc$",
            path .. " includes " .. name .. " behind it")
        end
      end
    end
  end)
end)
