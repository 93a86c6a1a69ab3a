-- The rows of the catalog: those it gives, and those a caller brings.

local core = require "starvideos.core"

local function row(changes)
  local made = { name = "videos_next", endpoint = "/v1/videos/videos" }
  for name, value in pairs(changes or {}) do made[name] = value end
  return made
end

local function catalog_with(...)
  return core.catalog { models = { ... } }
end

local function by_name(rows)
  local found = {}
  for _, one in ipairs(rows) do found[one.name] = one end
  return found
end

describe("models()", function()
  it("gives fresh rows in a stable order", function()
    local catalog = core.catalog {}
    local first, second = catalog:models(), catalog:models()
    assert.same(first, second)
    first[1].name = "changed"
    first[2].ratio.values[1] = "changed"
    assert.same(second, catalog:models())
  end)

  it("gives what a catalog can be made of again", function()
    for _, edition in ipairs { "xingchao", "mingyan" } do
      local rows = core.catalog { edition = edition }:models()
      local again = by_name(core.catalog { models = rows }:models())
      for _, one in ipairs(rows) do
        assert.same(one, again[one.name])
      end
    end
  end)

  it("tells the limits of a model", function()
    assert.same({
      name = "videos", endpoint = "/v1/videos/videos",
      editions = { "xingchao" }, billing = "per request", best_for = "quality",
      prompt = { max = 1500 },
      duration = { required = true, min = 4, max = 15 },
      ratio = { values = { "16:9", "9:16", "1:1" }, default = "16:9" },
      resolution = { values = { "720p" }, default = "720p" },
      frames = { legacy_aliases = true },
      referenceImages = { max = 4, max_with_video = 4, max_bytes = 20971520,
        below = true },
      referenceVideos = { max = 3, max_with_video = 3, total_duration = 15,
        total_bytes = 209715200, min_pixels = 720, max_pixels = 2160 },
    }, core.catalog { edition = "xingchao" }:model("videos"))
  end)

  it("has no row for a name that is not there", function()
    assert.is_nil(core.catalog {}:model("nothing"))
    assert.is_nil(core.catalog { edition = "xingchao" }
      :model("videos_stable"))
    assert.has_error(function() core.catalog {}:model(5) end)
  end)
end)

describe("a row of the caller's", function()
  it("adds a model, after the others", function()
    local rows = catalog_with(row { prompt = { max = 3 } }):models()
    assert.equal(6, #rows)
    assert.same(row { prompt = { max = 3 } }, rows[6])
  end)

  it("replaces the row of its name, in its place", function()
    local before = core.catalog {}:models()
    local changed = row { name = before[2].name, prompt = { max = 3 } }
    local after = catalog_with(changed):models()
    assert.equal(#before, #after)
    assert.same(changed, after[2])
  end)

  it("needs a name and an endpoint and takes a prompt alone", function()
    local catalog = catalog_with(row())
    assert.is_true((catalog:validate { model = "videos_next", prompt = "x" }))
    local _, violations = catalog:validate { model = "videos_next",
      prompt = "x", duration = 5, referenceImages = { "https://h/" } }
    assert.equal("not_supported", violations[1].code)
    assert.equal("not_supported", violations[2].code)
  end)

  it("may say in any words how it is billed and what it is for", function()
    local given = row { prompt = {}, billing = "per second",
      best_for = "\233\163\142\231\173\157, " .. ("x"):rep(120) }
    assert.same(given, catalog_with(given):model "videos_next")
  end)

  it("sets limits that hold", function()
    local catalog = catalog_with(row { prompt = { max = 3 },
      duration = { min = 20, max = 30, advised = { 25, 30 } },
      ratio = { values = { "2:1" } }, referenceImages = { max = 1 } })
    local _, violations, warnings = catalog:validate { model = "videos_next",
      prompt = "four", duration = 31, ratio = "1:1",
      referenceImages = { "https://h/", "https://h/" } }
    assert.is_nil(warnings)
    for i, expected in ipairs { 3, 30, "2:1", 1 } do
      assert.equal(expected, violations[i].limit)
    end
    local ok, advice = catalog:validate { model = "videos_next", prompt = "x",
      duration = 20 }
    assert.is_true(ok)
    assert.equal("25, 30", advice[1].limit)
  end)

  it("is looked at through its metatable too", function()
    local rows = catalog_with(setmetatable({}, { __index = row() })):models()
    assert.same(row { prompt = {} }, rows[6])
  end)

  it("does not change with the caller's table", function()
    local given = row { prompt = { max = 3 } }
    local catalog = catalog_with(given)
    given.name, given.prompt.max = "other", 5
    assert.equal(3, catalog:model("videos_next").prompt.max)
  end)

  -- { changes, the parts that the message names }
  local malformed = {
    { { name = 5 }, "models[1].name" },
    { { name = "two words" }, "models[1].name" },
    { { name = "" }, "models[1].name" },
    { { name = ("x"):rep(129) }, "models[1].name" },
    { { name = false }, "models[1].name" },
    { { endpoint = "v1/videos" }, "models[1]", "endpoint" },
    { { endpoint = {} }, "models[1].endpoint" },
    { { billing = "" }, "models[1].billing", "of one line" },
    { { billing = 5 }, "models[1].billing" },
    { { best_for = "two\nlines" }, "models[1].best_for" },
    { { best_for = "a\127b" }, "models[1].best_for" },
    { { best_for = "\255" }, "models[1].best_for" },
    { { best_for = ("x"):rep(129) }, "models[1].best_for" },
    { { editions = { "beijing" } }, "models[1].editions" },
    { { editions = "mingyan" }, "models[1].editions" },
    { { editions = { mingyan = true } }, "models[1].editions" },
    { { prompt = 5 }, "models[1].prompt" },
    { { prompt = { max = "5" } }, "models[1].prompt.max" },
    { { prompt = { max = 0 } }, "models[1].prompt.max" },
    { { prompt = { max = -1 } }, "models[1].prompt.max" },
    { { prompt = { max = 0 / 0 } }, "models[1].prompt.max" },
    { { prompt = { max = math.huge } }, "models[1].prompt.max" },
    { { prompt = { maximum = 5 } }, "models[1].prompt.maximum" },
    { { duration = { required = 1 } }, "models[1].duration.required" },
    { { duration = { advised = 5 } }, "models[1].duration.advised" },
    { { duration = { advised = { "5" } } }, "models[1].duration.advised" },
    { { duration = { min = 5, max = 4 } }, "models[1]", "duration.min" },
    { { duration = { max = 4, default = 5 } }, "models[1]",
      "duration.default" },
    { { ratio = { values = "16:9" } }, "models[1].ratio.values" },
    { { ratio = { values = { 16 } } }, "models[1].ratio.values" },
    { { ratio = { values = { "a", nil, "b" } } }, "models[1].ratio.values" },
    { { ratio = { values = { first = "a" } } }, "models[1].ratio.values" },
    { { ratio = { values = { "a" }, default = "b" } }, "models[1]",
      "ratio.default" },
    { { referenceImages = { maxx = 5 } }, "models[1].referenceImages.maxx" },
    { { referenceVideos = { min_pixels = 5, max_pixels = 4 } }, "models[1]",
      "referenceVideos" },
    { { refImages = {} }, "models[1].refImages" },
    { { [1] = "x" }, "models[1]" },
  }
  for i, case in ipairs(malformed) do
    it(("is refused, naming %s (case %d)"):format(
      table.concat(case, ", ", 2), i), function()
      local ok, message = pcall(catalog_with, row(case[1]))
      assert.is_false(ok)
      for part = 2, #case do
        assert.truthy(message:find(case[part], 1, true), message)
      end
    end)
  end

  it("is refused without a name or an endpoint", function()
    for _, name in ipairs { "name", "endpoint" } do
      local made = row()
      made[name] = nil
      assert.has_error(function() catalog_with(row(), made) end,
        ("models[2]: %s is missing"):format(name))
    end
  end)

  it("is refused with more values than a row may hold", function()
    local values = {}
    for i = 1, 16 do values[i] = "v" .. i end
    catalog_with(row { ratio = { values = values } })
    values[17] = "v17"
    assert.has_error(function()
      catalog_with(row { ratio = { values = values } })
    end, "models[1].ratio.values must be a list of at most 16")
  end)

  it("is refused where a list of rows belongs", function()
    for _, models in ipairs { row(), { row(), x = row() }, "videos", 5 } do
      local ok, message = pcall(core.catalog, { models = models })
      assert.is_false(ok)
      assert.truthy(message:find("models must be a list of rows", 1, true))
    end
    for _, one in ipairs { 5, "videos", true } do
      local ok, message = pcall(catalog_with, one)
      assert.is_false(ok)
      assert.truthy(message:find("models[1] must be a table", 1, true))
    end
  end)
end)

-- What a message about a wrong ratio names of the ratios that a row has.
describe("a list that is too long for a message", function()
  local function named(...)
    local values = {}
    for index, size in ipairs { ... } do
      values[index] = string.char(96 + index):rep(size)
    end
    local catalog = catalog_with(row { ratio = { values = values } })
    local ok, issues = catalog:validate { model = "videos_next", prompt = "x",
      ratio = "?" }
    assert.is_false(ok)
    return issues[1].limit, values
  end

  it("ends with dots, and nothing is written behind its room", function()
    local limit, values = named(128, 128, 128, 86, 1)
    assert.equal(table.concat(values, ", ", 1, 3) .. ", ...", limit)
  end)

  it("goes on with no short value behind the dots", function()
    local limit, values = named(128, 128, 128, 120, 1)
    assert.equal(table.concat(values, ", ", 1, 3) .. ", ...", limit)
  end)

  it("is whole up to the last byte", function()
    local limit, values = named(128, 128, 128, 84)
    assert.equal(table.concat(values, ", "), limit)
  end)
end)
