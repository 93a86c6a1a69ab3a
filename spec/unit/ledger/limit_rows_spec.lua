local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local limit_rows = require "starvideos.ledger.limit_rows"
local stores = require "starvideos.ledger.store"

describe("the row of a limit", function()
  local folder, store

  before_each(function()
    folder = files.folder()
    store = stores.new { address = folder .. "/ledger.db", lease = 60 }
  end)

  after_each(function()
    store:close()
    files.remove(folder)
  end)

  local function save(limit)
    return limit_rows.save(store, limit, core.time())
  end

  it("is written in a transaction alone", function()
    local limit = { name = "open", kind = "open", cap = 3 }
    local written, why = pcall(save, limit)
    assert.is_false(written)
    assert.truthy(why:find("outside of a transaction", 1, true))
    assert.is_false(limit_rows.find(store, "open"))
    assert(store:transaction(function() return save(limit) end))
    assert.equal(3, assert(limit_rows.find(store, "open")).cap)
  end)

  it("is changed, and removed", function()
    local limit = { name = "open", kind = "open", cap = 3 }
    assert(store:transaction(function()
      limit.used, limit.full_until = 2, 5
      return save(limit)
    end))
    assert(store:transaction(function()
      limit.full_until = nil
      return save(limit)
    end))
    local row = assert(limit_rows.find(store, "open"))
    assert.equal(2, row.used)
    assert.is_nil(row.full_until)
    assert(store:transaction(function()
      row.is_over = true
      return save(row)
    end))
    assert.is_false(limit_rows.find(store, "open"))
  end)
end)
