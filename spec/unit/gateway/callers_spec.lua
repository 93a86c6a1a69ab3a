local callers = require "starvideos.gateway.callers"
local curl = require "starvideos.curl"
local json = require "starvideos.base.json"

describe("the callers of a gateway", function()
  local ANN, BOB = curl.sha256 "token-of-ann", curl.sha256 "token-of-bob"

  local function parsed(list)
    return callers.parse(json.encode { callers = list })
  end

  local function faults(list)
    local result, why = parsed(list)
    assert.is_nil(result)
    return why
  end

  local function fault_of(change)
    local caller = { name = "ann", token_sha256 = ANN }
    for name, value in pairs(change) do
      caller[name] = value
    end
    return faults { caller }
  end

  it("reads names, limits and origins", function()
    local list = assert(parsed {
      { name = "ann", token_sha256 = ANN:upper(),
        limits = { open = 5, orders_per_minute = 10, spend = 20.25, per = "day" },
        origins = { "https://Play.example:443", "http://[::1]:8000" } },
      { name = "bob.b@team-1_x", token_sha256 = BOB, limits = { spend = 0 } },
    }).list
    assert.same({ name = "ann", limits = { open = 5, orders_per_minute = 10,
      spend = 20250000, per = "day" },
      origins = { "https://play.example", "http://[::1]:8000" } }, list[1])
    assert.same({ name = "bob.b@team-1_x", origins = {},
      limits = { spend = 0, per = "total" } }, list[2])
  end)

  it("finds the caller of a token, and nobody for another", function()
    local known = assert(parsed { { name = "ann", token_sha256 = ANN },
      { name = "bob", token_sha256 = BOB } })
    assert.equal("ann", known:find("token-of-ann").name)
    assert.equal("bob", known:find("token-of-bob").name)
    for _, token in ipairs { "", "token-of-an", "token-of-ann ", ANN } do
      assert.is_nil(known:find(token))
    end
  end)

  it("takes an old and a new token of one caller", function()
    local known = assert(parsed { { name = "ann", token_sha256 = { ANN, BOB } } })
    assert.equal("ann", known:find("token-of-ann").name)
    assert.equal("ann", known:find("token-of-bob").name)
  end)

  it("compares no token with those of all others", function()
    local list = {}
    for index = 1, 200 do
      list[index] = { name = "c" .. index, token_sha256 = curl.sha256("t" .. index),
        origins = { ("https://%d.example"):format(index) } }
    end
    local known, steps = assert(parsed(list)), 0
    debug.sethook(function() steps = steps + 1 end, "", 1)
    local last, none = known:find "t200", known:find "t201"
    local named = known:named(curl.sha256("t200"):sub(1, 16))
    local is_allowed = known:allow "https://200.example"
    debug.sethook()
    assert.same({ "c200", "c200" }, { last.name, named.name })
    assert.is_nil(none)
    assert.is_true(is_allowed)
    assert.is_true(steps < 200, steps)
  end)

  it("knows whose pages may come from where", function()
    local known = assert(parsed { { name = "ann", token_sha256 = ANN },
      { name = "bob", token_sha256 = BOB, origins = { "https://play.example" } } })
    assert.is_true(known:allow "https://play.example")
    assert.is_false(known:allow "https://play.example.evil")
    assert.is_true(callers.allows(known.list[2], "https://play.example"))
    assert.is_false(callers.allows(known.list[1], "https://play.example"))
    assert.is_false(known:allow "null")
  end)

  it("knows whether prices are needed", function()
    assert.is_false(assert(parsed { { name = "ann", token_sha256 = ANN,
      limits = { open = 1 } } }):need_prices())
    assert.is_true(assert(parsed { { name = "ann", token_sha256 = ANN,
      limits = { spend = 1 } } }):need_prices())
  end)

  it("names every fault at once, with its place", function()
    assert.equal(table.concat({
      "callers[1].name is missing",
      "callers[1].token_sha256 is missing",
      "callers[2] (a/b).colour is unknown: the fields are limits, name, origins,"
        .. " token_sha256",
      "callers[2] (a/b).limits.open is -1: it takes a whole number from 0 to"
        .. " 1000000000",
      "callers[2] (a/b).limits.per is neither day nor total",
      "callers[2] (a/b).limits.per is for a spend, and there is none",
      "callers[2] (a/b).name is no name: it is up to 64 letters, digits and"
        .. " ._@-, and begins with a letter or a digit",
      "callers[2] (a/b).origins[1] has a path, or ends with a slash: write"
        .. " https://play.example",
      "callers[2] (a/b).token_sha256 is not the SHA-256 of a token, which has 64"
        .. " hex digits",
      "callers[3] is not an object",
    }, "\n"), faults { {}, { name = "a/b", token_sha256 = "token-of-ann",
      colour = "red", limits = { open = -1, per = "week" },
      origins = { "https://play.example/game" } }, "ann" })
  end)

  it("refuses two callers of one name, or of one token", function()
    assert.equal("callers[3].name is the same as that of callers[1]\n"
      .. "callers[3].token_sha256 is the same as that of callers[2]",
      faults { { name = "ann", token_sha256 = ANN },
        { name = "bob", token_sha256 = BOB },
        { name = "ann", token_sha256 = BOB:upper() } })
    assert.truthy(fault_of { token_sha256 = { ANN, ANN } }:find "the same")
  end)

  it("refuses limits that are none", function()
    for _, limits in ipairs { { open = 1.5 }, { open = "5" }, { open = true },
      { orders_per_minute = 2e9 }, { spend = -0.01 }, { spend = 0.0000001 },
      { spend = 1, per = "hour" }, { opne = 1 }, { 1 }, "5" } do
      assert.truthy(fault_of { limits = limits }:find(
        "callers[1] (ann).limits", 1, true))
    end
  end)

  it("refuses names that do not fit an account or a log", function()
    for _, name in ipairs { "", " ann", "ann\n", "ann\n{}", "../ann", "an n",
      'a"b', "änn", ("a"):rep(65), ".ann" } do
      assert.truthy(fault_of { name = name }:find ".name is no name")
    end
    assert.truthy(fault_of { name = 7 }:find ".name is no name")
  end)

  it("refuses what is no origin", function()
    for _, origin in ipairs { "*", "null", "play.example", "ftp://play.example",
      "https://", "https://ann@play.example", "https://play.example:0",
      "https://play.example:65536", "https://play.example:",
      "https://*.play.example", "https://play.example\n", "https://[::1", 7 } do
      assert.truthy(fault_of { origins = { origin } }:find(
        "origins[1] is no origin", 1, true), origin)
    end
    for _, rest in ipairs { "/", "?a", "#a", "/game" } do
      assert.truthy(fault_of { origins = { "https://play.example" .. rest } }
        :find("write https://play.example$"))
    end
    assert.truthy(fault_of { origins = "https://play.example" }
      :find "origins is not a list")
  end)

  it("never shows what stands in the place of a digest", function()
    for _, given in ipairs { "token-of-ann", { "token-of-ann" },
      ANN:sub(1, 63) .. "g", {}, { a = ANN } } do
      local why = fault_of { token_sha256 = given }
      assert.truthy(why:find "token_sha256")
      assert.is_nil(why:find "of%-ann")
      assert.is_nil(why:find(ANN:sub(1, 20), 1, true))
    end
  end)

  it("says where a file is not JSON, and what it lacks", function()
    for text, wanted in pairs {
      ['{\n"callers": [\n{ "name" }\n]}'] = "not JSON: .* at line 3, column 10$",
      [""] = "not JSON",
      ["null"] = "^the file is not an object$",
      ["[]"] = "^callers is missing$",
      ['{"callers":[]}'] = "^callers is empty: nobody could use the gateway$",
      ['{"callers":{"ann":{}}}'] = "^callers is not a list$",
      ['{"callers":7}'] = "^callers is not a list$",
    } do
      local known, why = callers.parse(text)
      assert.is_nil(known)
      assert.truthy(why:find(wanted), why)
    end
  end)
end)
