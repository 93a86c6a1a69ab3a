-- What `make lint` says of files that break the structure.

local circles = require "spec.lint.circles"
local floors = require "spec.lint.floors"
local locales = require "spec.lint.locales"
local names = require "spec.lint.names"
local seam = require "spec.lint.seam"
local weight = require "spec.lint.weight"

describe("the floors", function()
  it("fail a require that climbs, naming both files", function()
    assert.same({ "lua/starvideos/provider/retry.lua requires"
      .. " lua/starvideos/order/create.lua: provider may not use order" },
      floors.faults("lua/starvideos/provider/retry.lua",
        'local create = require "starvideos.order.create"\n'))
  end)

  it("fail an include that climbs, naming both files", function()
    assert.same({ "csrc/rules/text.c includes csrc/http/answer.h: rules may not"
      .. " use http" }, floors.faults("csrc/rules/text.c",
      '#include "rules/text.h"\n\n#include "http/answer.h"\n'))
  end)

  it("fail a require of the floor beside", function()
    assert.same({ "lua/starvideos/wait/watch.lua requires"
      .. " lua/starvideos/ledger/init.lua: wait may not use ledger" },
      floors.faults("lua/starvideos/wait/watch.lua",
        'local ledger = require("starvideos.ledger")'))
  end)

  it("fail a require whose name is put together", function()
    assert.same({ "lua/starvideos/provider/retry.lua requires"
      .. " lua/starvideos/order/.lua: provider may not use order" },
      floors.faults("lua/starvideos/provider/retry.lua",
        'return require("starvideos.order." .. name)'))
  end)

  it("fail what is foreign and not the floor's", function()
    for path, line in pairs {
      ["lua/starvideos/wait/init.lua"] = 'local s = require "ngx.semaphore"',
      ["lua/starvideos/ledger/book.lua"] = "local cjson = require'cjson'",
      ["csrc/rules/text.c"] = "#include <lua.h>",
      ["csrc/http/sink.c"] = "# include <unistd.h>",
      ["csrc/system/posix/file.c"] = "#include <curl/curl.h>",
    } do
      local list = floors.faults(path, line)
      assert.equal(1, #list, path)
      assert.truthy(list[1]:find(path, 1, true) == 1, list[1])
      assert.truthy(list[1]:find "may not use$", list[1])
    end
  end)

  it("fail a file that stands on none", function()
    assert.same({ "lua/starvideos/util.lua stands on no floor" },
      floors.faults("lua/starvideos/util.lua", ""))
    assert.same({ "csrc/loose.c stands on no floor" },
      floors.faults("csrc/loose.c", ""))
  end)

  it("let pass what goes down or sideways, and comments", function()
    assert.same({}, floors.faults("lua/starvideos/wait/init.lua", [[
      --    local luv = require "luv"
      local watch = require "starvideos.wait.watch"
      local errors = require "starvideos.errors"
      local fetch_task = require "starvideos.wait.fetch_task"
      local core = require "starvideos.core"]]))
    assert.same({}, floors.faults("csrc/binding/core.c", [[
      #include <lua.h>
      #include <string.h>
      #include "rules/validate.h"
      #include "binding/compat.h"]]))
  end)
end)

describe("the names", function()
  local path = "lua/starvideos/provider/retry.lua"

  it("fail a local that is called otherwise than its module", function()
    assert.same({ path .. " calls starvideos.wait.watch eyes, not watch" },
      names.faults(path, 'local eyes = require "starvideos.wait.watch"'))
  end)

  it("let pass the name, and its plural", function()
    assert.same({}, names.faults(path, [[
local watch = require "starvideos.wait.watch"
local tasks = require "starvideos.base.task"
local ledger = require("starvideos.ledger")
local accepted = require("starvideos.options").accepted
]]))
  end)
end)

describe("the circles", function()
  it("name every file on the way round", function()
    assert.same({ "a -> b -> c -> a" }, circles.faults { a = { "b" },
      b = { "c" }, c = { "a" }, d = { "a" } })
  end)

  it("are none where arrows only meet", function()
    assert.same({}, circles.faults { a = { "b", "c" }, b = { "d" },
      c = { "d" } })
  end)
end)

describe("the seam", function()
  it("fails an #if outside of it, quoting the line", function()
    assert.same({ "csrc/http/sink.c asks '#ifdef __linux__': what differs between"
      .. " systems belongs into csrc/system" }, seam.faults("csrc/http/sink.c",
      "int one;\n#ifdef __linux__\n#endif\n"))
    assert.equal(1, #seam.faults("csrc/binding/actor.c", "# if LUA_VERSION_NUM < 502"))
  end)

  it("lets a header have its guard, and the seam its questions", function()
    assert.same({}, seam.faults("csrc/rules/url.h", "#ifndef SV_RULES_URL_H\n"))
    assert.same({}, seam.faults("csrc/system/posix/clock.c", "#ifdef __APPLE__"))
    assert.same({}, seam.faults("csrc/binding/compat.h", "#if LUA_VERSION_NUM < 502"))
  end)
end)

describe("the locale of the host", function()
  it("writes no number and changes no letter", function()
    for line, what in pairs {
      ['local text = ("%.3f s"):format(seconds)'] = "writes a number with %.3f",
      ['  .. " after %g s"'] = "writes a number with %g",
      ["return name:lower()"] = "changes the case of letters",
      ["text:gsub('^%l', string.upper)"] = "changes the case of letters",
    } do
      assert.same({ "lua/starvideos/provider/retry.lua:2 " .. what .. " as the locale"
        .. " of the host wants it: starvideos.base.c_locale does not" },
        locales.faults("lua/starvideos/provider/retry.lua", "\n" .. line))
    end
    assert.equal(1, #locales.faults("csrc/rules/media.c",
      'snprintf(out, sizeof out, "%.6g s", seconds);'))
  end)

  it("may write whole numbers, and be asked in one place", function()
    for _, line in ipairs { '("%d of %.0f"):format(1, 2)',
      'c_locale.number("%.3f", seconds)', "-- as %g", 'text:match "%f[%w]x"' } do
      assert.same({}, locales.faults("lua/starvideos/provider/retry.lua", line))
    end
    assert.same({}, locales.faults("lua/starvideos/base/c_locale.lua", "text:lower()"))
  end)
end)

describe("the weight of the house", function()
  it("fails a file of more than 600 lines, and no other", function()
    assert.same({}, weight.faults("csrc/rules/text.c", ("\n"):rep(600)))
    assert.same({ "csrc/rules/text.c has 601 lines, more than 600" },
      weight.faults("csrc/rules/text.c", ("\n"):rep(601)))
  end)

  it("counts files, lines, modules with one user and short ones", function()
    local one, two = "lua/starvideos/one.lua", "lua/starvideos/base/two.lua"
    assert.same({
      "csrc/rules                   1 files      2 lines",
      "lua/starvideos               1 files     70 lines",
      "lua/starvideos/base          1 files      3 lines",
      "all of lua                   2 files     73 lines",
      "all of c                     1 files      2 lines",
      "modules with one user: 1; of fewer than 60 lines: 1",
    }, weight.totals({ [one] = ("\n"):rep(70), [two] = "\n\n\n",
      ["csrc/rules/text.c"] = "\n\n" }, { [one] = { two, two, "csrc/rules/text" } }))
  end)
end)
