local manifest = require "starvideos.fleet.manifest"
local starvideos = require "starvideos"

local PRICES = { currency = "USD", models = { videos = { per_second = 0.1 } } }

local function client(changes)
  local options = { api_key = "key",
    transport = function() error "nothing is to be sent" end }
  for name, value in pairs(changes or {}) do
    options[name] = value
  end
  return assert(starvideos.new(options))
end

local function order(changes)
  local params = { model = "videos", prompt = "a kite", duration = 5 }
  for name, value in pairs(changes or {}) do
    params[name] = value
  end
  return params
end

-- "index field code" of each fault.
local function faults(list, options)
  local checked, err = client(options):validate_all(list)
  assert.is_nil(checked)
  assert.equal("validation", err.kind)
  local found = {}
  for position, one in ipairs(err.violations) do
    found[position] = ("%s %s %s"):format(one.line or one.index,
      tostring(one.field), one.code)
    assert.equal("string", type(one.message))
  end
  return found, err
end

describe("a list of orders", function()
  it("is checked and named as a whole", function()
    local checked = assert(client():validate_all {
      order { path = "./a//1.mp4" }, order { key = "kite", label = "x" },
      order { key = "kite-2", path = "b.mp4" } })
    local names = {}
    for index, entry in ipairs(checked.entries) do
      names[index] = { entry.index, entry.key, entry.path or false, entry.take,
        entry.label or false }
    end
    assert.same({ { 1, "a/1.mp4", "a/1.mp4", 1, false },
      { 2, "kite", false, 1, "x" }, { 3, "kite-2", "b.mp4", 1, false } }, names)
    assert.same({ nil, nil }, { checked.price, checked.unpriced })
  end)

  it("may be empty", function()
    assert.same({}, assert(client():validate_all {}).entries)
  end)

  it("is left as it is", function()
    local list = { order { path = "./a.mp4", label = "x" } }
    assert(client():validate_all(list))
    assert.same({ order { path = "./a.mp4", label = "x" } }, list)
  end)

  it("is told of every fault of every order", function()
    local found, err = faults { order { path = "a.mp4", duration = 77 },
      order { path = "b.mp4", prompt = false, colour = "red" },
      order { path = "../c.mp4" }, order {}, "text",
      order { path = "d.mp4" } }
    assert.same({ "1 duration out_of_range", "2 prompt type",
      "2 colour unknown_field", "3 path bad_path", "4 path required",
      "5 nil type" }, found)
    assert.truthy(err.message:find("order 1: duration", 1, true))
    assert.truthy(err.message:find("order 5: ", 1, true))
    assert.truthy(err.message:find("; nothing was ordered", 1, true))
  end)

  it("prints some of many faults, and has them all", function()
    local list = {}
    for index = 1, 1000 do
      list[index] = order { path = index .. ".mp4", duration = 77 }
    end
    local found, err = faults(list)
    assert.equal(1000, #found)
    assert.truthy(err.message:find("order 10: ", 1, true))
    assert.is_nil(err.message:find("order 11: ", 1, true))
    assert.truthy(err.message:find("and 990 further faults", 1, true))
    assert.is_true(#err.message < 2000)
  end)

  it("has every name once", function()
    assert.same({ "2 path conflict", "3 path conflict", "5 key conflict",
      "7 key conflict" }, (faults { order { path = "a.mp4" },
        order { path = "a.mp4" }, order { path = "./a.mp4", key = "other" },
        order { key = "kite" }, order { key = "kite", path = "c.mp4" },
        order { path = "d/e.mp4" }, order { key = "d/e.mp4" } }))
  end)

  it("finds the same path in another spelling", function()
    local found, err = faults { order { path = "a/b.mp4" },
      order { path = "a//b.mp4" }, order { path = "a/./b.mp4" } }
    assert.same({ "2 path conflict", "3 path conflict" }, found)
    assert.truthy(err.message:find("order 1 has the path a/b.mp4", 1, true))
  end)

  it("has no file that is the folder of another", function()
    local found, err = faults { order { path = "a.mp4/b/c.mp4" },
      order { path = "a.mp4" }, order { path = "a.mp4/b/d.mp4" },
      order { path = "b/c.mp4" }, order { path = "b/d.mp4" } }
    assert.same({ "1 path conflict", "3 path conflict" }, found)
    assert.truthy(err.message:find("the file of order 2", 1, true), err.message)
  end)

  it("may have many takes of a key, each with a ledger and a path", function()
    local list = { order { key = "kite", path = "1.mp4" },
      order { key = "kite", path = "2.mp4", take = 2 } }
    assert(client { ledger = "never-opened.db" }:validate_all(list))
    assert.same({ "2 take not_supported" }, (faults(list)))
  end)

  it("has names that can be names", function()
    local ledger = { ledger = "never-opened.db" }
    assert.same({ "1 key type", "2 key type", "3 key type", "4 key encoding",
      "5 key too_long", "6 label type", "7 label encoding", "8 take type",
      "9 take type", "10 take type", "11 take type", "12 path type" },
      (faults({ order { key = 5 }, order { key = " " }, order { key = "a\nb" },
        order { key = "\255" }, order { key = ("x"):rep(1025) },
        order { key = "a", label = 5 }, order { key = "b", label = "\255" },
        order { key = "c", take = 0 }, order { key = "d", take = 1.5 },
        order { key = "e", take = "2" }, order { key = "f", take = 2 ^ 31 },
        order { path = {} } }, ledger)))
  end)

  it("names what cannot be written as JSON", function()
    local found, err = faults({ order { path = "a.mp4", prompt = print } },
      { validation = "off" })
    assert.same({ "1 nil malformed" }, found)
    assert.truthy(err.message:find("function", 1, true))
    assert.same({ "1 seed out_of_range" }, (faults({ order { path = "a.mp4",
      seed = 2 ^ 60 } }, { validation = "off" })))
  end)

  it("is checked as strictly as its client says", function()
    local list = { order { path = "a.mp4" },
      order { path = "b.mp4", duration = 77 } }
    local checked = assert(client { validation = "advisory" }
      :validate_all(list))
    assert.equal(1, #checked.warnings)
    assert.equal(2, checked.warnings[1].index)
    assert.equal("duration", checked.warnings[1].field)
  end)

  it("has the warnings of each order", function()
    local checked = assert(client():validate_all { order { path = "a.mp4" },
      order { path = "b.mp4", model = "videos_stable_fast" } })
    assert.equal(1, #checked.warnings)
    assert.same({ 2, "advisory" }, { checked.warnings[1].index,
      checked.warnings[1].code })
  end)

  it("is refused where it is none", function()
    for _, list in ipairs { "text", 5, { [2] = order { path = "a.mp4" } },
      { order { path = "a.mp4" }, [3] = order { path = "b.mp4" } } } do
      assert.has_error(function() client():validate_all(list) end)
    end
    assert.has_error(function() client():validate_all() end)
  end)

  describe("of a manifest", function()
    local function read(...)
      return assert(manifest.read(table.concat({ ... }, "\n")))
    end

    it("names lines, also of what is no order, in their order", function()
      local found, err = faults(read('{"model":"videos"', "",
        '{"model":"videos","prompt":"x","duration":5,"path":"/a.mp4"}',
        '{"model":"videos","prompt":"x","duration":5,"path":"a.mp4"}', "x",
        '{"model":"videos","prompt":"\255","duration":5,"path":"\255.mp4"}',
        '{"model":"videos","prompt":"x","duration":5,"path":"./a.mp4"}'))
      assert.same({ "1 nil malformed", "3 path bad_path", "5 nil malformed",
        "6 path encoding", "6 prompt encoding", "7 path conflict" }, found)
      assert.truthy(err.message:find("line 3: path is absolute", 1, true))
      assert.truthy(err.message:find("line 7: line 4 has the path", 1, true))
    end)

    it("has no fault of its own to give away", function()
      local _, err = faults(read "{")
      for _, one in ipairs(err.violations) do
        assert.is_nil(one.place)
        assert.is_nil(one.turn)
      end
    end)
  end)

  describe("with prices", function()
    it("costs what all of it costs", function()
      local list = {}
      for index = 1, 3 do
        list[index] = order { path = index .. ".mp4", duration = 3 + index }
      end
      local checked = assert(client { prices = PRICES }:validate_all(list))
      assert.same({ cost = 1.5, currency = "USD", millionths = 1500000 },
        checked.price)
      assert.equal(0, checked.unpriced)
      assert.same({ cost = 0.4, currency = "USD", millionths = 400000 },
        checked.entries[1].price)
    end)

    it("counts the orders that have none", function()
      local checked = assert(client { prices = PRICES }:validate_all {
        order { path = "a.mp4" },
        order { path = "b.mp4", model = "starvideos_o3" } })
      assert.equal(0.5, checked.price.cost)
      assert.equal(1, checked.unpriced)
      assert.equal("no price is given for the model starvideos_o3",
        checked.entries[2].unpriced)
    end)
  end)
end)
