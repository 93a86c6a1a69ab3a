local files = require "spec.fixtures.files"

describe("a column of a ledger", function()
  local MODULES = { "schema", "store", "record", "orders",
    "restoration", "tasks", "manual_changes" }
  local loaded, folder

  before_each(function()
    folder, loaded = files.folder(), {}
    for _, name in ipairs(MODULES) do
      name = "starvideos.ledger." .. name
      loaded[name], package.loaded[name] = package.loaded[name] or false, nil
    end
  end)

  after_each(function()
    for name, module in pairs(loaded) do
      package.loaded[name] = module or nil
    end
    files.remove(folder)
  end)

  it("needs a row of the table of columns alone", function()
    local columns = require("starvideos.ledger.schema").columns
    columns[#columns + 1] = { "note", "TEXT NOT NULL DEFAULT 'none'",
      name = "note", type = "TEXT NOT NULL DEFAULT 'none'", as = "note",
      placed = "content" }
    local orders = require("starvideos.ledger.tasks").new {
      address = folder .. "/ledger.db", lease = 60 }
    finally(function() orders:close() end)
    local record = require "starvideos.ledger.record"
    local caller = { owner = "me", now = 1, boottime = 1, clock = "c", held = {} }
    assert.equal("send", (orders:begin(caller, { id = "1", key = "new", take = 1,
      account = "", params = "{}", base_url = "here", note = "seen" })))
    local order = record.order(assert(orders:pending(caller, 10, nil, true))[1])
    assert.equal("seen", order.note)
  end)
end)
