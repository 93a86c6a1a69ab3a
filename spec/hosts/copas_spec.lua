-- The library inside copas. Debian has it for some Luas only: the others start
-- those, with the modules that lie beside their own.

local behaviour = require "spec.hosts.loop_behaviour"
local shell = require "starvideos.nginx.shell"

local function passes(lua)
  local core = assert(package.searchpath("starvideos.core", package.cpath))
  local modules = core:gsub("/[^/]+/starvideos/core%.so$", "/" .. lua)
  local output = shell.read(shell.fill([[
    LUA_CPATH=@modules@'/?.so;;' @lua@ "$(command -v busted)" -o TAP \
      spec/hosts/copas_spec.lua </dev/null 2>&1; echo exit=$?]],
    { modules = modules, lua = lua }))
  assert.matches("exit=0", output)
  assert.matches("ok 10 ", output)
end

describe("inside copas", function()
  if pcall(require, "copas") then
    behaviour "copas"
  else
    for _, lua in ipairs { "lua5.1", "luajit" } do
      it("does under " .. lua .. " all that is expected of it", function()
        passes(lua)
      end)
    end
  end
end)
