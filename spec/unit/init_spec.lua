local core = require "starvideos.core"
local starvideos = require "starvideos"

describe("the module functions about a ledger", function()
  local environment, ledger, getenv

  before_each(function()
    ledger = os.tmpname()
    environment = { STARVIDEOS_API_KEY = "key-of-the-spec",
      STARVIDEOS_LEDGER = ledger }
    getenv = core.getenv
    core.getenv = function(name) return environment[name] end
  end)

  after_each(function()
    core.getenv = getenv
    for _, suffix in ipairs { "", "-wal", "-shm" } do
      os.remove(ledger .. suffix)
    end
  end)

  it("take it from the environment", function()
    assert.same({}, assert(starvideos.pending()))
    assert.equal(0, assert(starvideos.resume()).done)
    local order, err = starvideos.dismiss "no-such-order"
    assert.is_nil(order)
    assert.equal("not_found", err.kind)
  end)

  it("name the variable to set where there is none", function()
    for _, nothing in ipairs { "", false } do
      environment.STARVIDEOS_LEDGER = nothing or nil
      for _, name in ipairs { "pending", "resume", "dismiss", "adopt" } do
        local result, err = starvideos[name]("x", "y")
        assert.is_nil(result)
        assert.equal("config", err.kind)
        assert.truthy(err.message:find(name
          .. " needs a ledger: set STARVIDEOS_LEDGER", 1, true))
      end
    end
  end)

  it("follow the environment to another ledger", function()
    assert.same({}, assert(starvideos.pending()))
    environment.STARVIDEOS_LEDGER = "/nowhere/videos.db"
    local list, err = starvideos.pending()
    assert.is_nil(list)
    assert.equal("ledger", err.kind)
  end)
end)
