-- Which videos are removed, and when, with files and a ledger of this spec's.

local janitor = require "starvideos.gateway.janitor"

local DAY, NOW = 86400, 1760000000

describe("the janitor of a gateway", function()
  local app, rows, files, announced, marked, tools, steps

  before_each(function()
    app = { folder = "/srv/gateway", settings = { keep_days = 7 },
      now = function() return NOW end }
    rows, files, announced, marked, steps = {}, {}, {}, {}, math.huge
    tools = {
      list = function(after)
        local page = {}
        for _, row in ipairs(rows) do
          if (not after or row.order_id > after)
            and #page < janitor.policy.page and not marked[row.order_id] then
            page[#page + 1] = row
          end
        end
        return page
      end,
      is_ours = function(row) return row.machine ~= "elsewhere" end,
      announce = function(order_id) announced[order_id] = true end,
      remove = function(path)
        assert.is_true(announced[path:match "(%x+)%.mp4"])
        if files[path] == "locked" then
          return nil, { errno = 13, message = "permission denied" }
        elseif not files[path] then
          return nil, { errno = 2, message = "no such file" }
        end
        files[path] = nil
        return true
      end,
      mark = function(order_id)
        marked[order_id] = true
        return true
      end,
      may_go_on = function()
        steps = steps - 1
        return steps >= 0
      end,
    }
  end)

  local function path_of(number)
    local order_id = ("%032x"):format(number)
    return ("/srv/gateway/files/%s/%s.mp4"):format(order_id:sub(7, 8), order_id)
  end

  -- An order that ended some days ago, with its file.
  local function order(number, days, more)
    local row = { order_id = ("%032x"):format(number), state = "downloaded",
      bytes = 100, updated_at = NOW - days * DAY,
      closed_at = NOW - days * DAY }
    for name, value in pairs(more or {}) do
      row[name] = value
    end
    rows[#rows + 1] = row
    files[path_of(number)] = row.state == "downloaded" or nil
  end

  local function left()
    local names = {}
    for number = 1, 999 do
      names[#names + 1] = files[path_of(number)] and number or nil
    end
    return table.concat(names, " ")
  end

  local function is_marked(number)
    return marked[("%032x"):format(number)] == true
  end

  local function sweep()
    return janitor.sweep(app, tools)
  end

  it("removes what is older than it is to be kept", function()
    order(1, 8)
    order(2, 7)
    order(3, 6.9)
    assert.same({ count = 2 }, sweep())
    assert.equal("3", left())
    assert.is_true(is_marked(1))
    assert.is_false(is_marked(3))
  end)

  it("announces what it is about to remove, and nothing else", function()
    order(1, 8)
    order(2, 1)
    sweep()
    assert.same({ [("%032x"):format(1)] = true }, announced)
  end)

  it("keeps everything where there is neither age nor size", function()
    app.settings = {}
    order(1, 8000)
    assert.same({ count = 0 }, sweep())
    assert.equal("1", left())
  end)

  it("removes the oldest where they take too much room", function()
    app.settings.keep_bytes = 250
    for number = 1, 4 do
      order(number, 5 - number)
    end
    assert.same({ count = 2 }, sweep())
    assert.equal("3 4", left())
  end)

  it("counts what is left after the old ones are gone", function()
    app.settings.keep_bytes = 200
    order(1, 9)
    order(2, 2)
    order(3, 1)
    assert.same({ count = 1 }, sweep())
    assert.equal("2 3", left())
  end)

  it("spares what just got finished, whatever room it takes", function()
    app.settings.keep_bytes = 0
    order(1, 1)
    order(2, 0.001)
    sweep()
    assert.equal("2", left())
    assert.is_false(is_marked(2))
  end)

  it("removes what a download has left of an order that ended", function()
    order(1, 1, { state = "failed" })
    files[path_of(1) .. ".part"], files[path_of(1) .. ".part.json"] = true, true
    sweep()
    assert.same({}, files)
    assert.is_true(is_marked(1))
  end)

  it("leaves what an order that just ended has", function()
    order(1, 0.001, { state = "cancelled" })
    files[path_of(1) .. ".part"] = true
    sweep()
    assert.is_true(files[path_of(1) .. ".part"])
  end)

  it("removes the file of an order that was deleted", function()
    order(1, 1, { deleted_at = NOW })
    sweep()
    assert.equal("", left())
    assert.is_true(is_marked(1))
  end)

  it("marks an order whose file is gone already", function()
    order(1, 8)
    files[path_of(1)] = nil
    assert.same({ count = 1 }, sweep())
    assert.is_true(is_marked(1))
  end)

  it("goes on behind a file that it cannot remove, and says why", function()
    order(1, 8)
    order(2, 8)
    files[path_of(1)] = "locked"
    assert.same({ count = 1, failure = "permission denied" }, sweep())
    assert.equal("1", left())
    assert.is_false(is_marked(1))
  end)

  it("leaves what another machine has, or another folder", function()
    app.settings.keep_bytes = 100
    order(1, 8, { machine = "elsewhere" })
    order(2, 1, { machine = "elsewhere" })
    order(3, 1)
    assert.same({ count = 0 }, sweep())
    assert.equal("1 2 3", left())
  end)

  it("looks at all orders, page by page", function()
    app.settings.keep_bytes = 100
    for number = 1, 250 do
      order(number, 2)
    end
    assert.same({ count = 249 }, sweep())
    assert.equal("250", left())
  end)

  it("ends where it may not go on", function()
    app.settings.keep_bytes = 0
    for number = 1, 10 do
      order(number, 2)
    end
    steps = 3
    assert.same({ count = 3 }, sweep())
  end)

  it("says where the ledger cannot be read", function()
    tools.list = function() return nil, { message = "it is locked" } end
    assert.same({ count = 0, failure = "it is locked" }, sweep())
  end)
end)
