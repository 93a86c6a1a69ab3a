local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local prices = require "starvideos.provider.prices"

local catalog = core.catalog {}

local function given(models)
  return { currency = "USD", models = models }
end

-- What an order costs, in millionths.
local function cost_of(option, params)
  return assert(prices.load(option, catalog)):cost(params,
    catalog:model(params.model))
end

describe("a price", function()
  it("is one for each video", function()
    assert.equal(50000, cost_of(given { videos = { per_video = 0.05 } },
      { model = "videos", duration = 15 }))
  end)

  it("is one for each second", function()
    assert.equal(700000, cost_of(given { videos = { per_second = 0.1 } },
      { model = "videos", duration = 7 }))
  end)

  it("is the sum where there are both", function()
    assert.equal(1100001, cost_of(given { videos = { per_second = 0.1,
      per_video = 0.600001 } }, { model = "videos", duration = 5 }))
  end)

  it("may be nothing", function()
    assert.equal(0, cost_of(given { videos = { per_video = 0 } },
      { model = "videos" }))
  end)

  it("is exact where floats are not", function()
    for _, case in ipairs { { 0.1, 3, 300000 }, { 0.07, 15, 1050000 },
      { 0.000001, 15, 15 }, { 1.1, 9, 9900000 },
      { 999999.999999, 15, 14999999999985 } } do
      assert.equal(case[3], cost_of(given { videos = { per_second = case[1] } },
        { model = "videos", duration = case[2] }))
    end
  end)

  it("is rounded up to a millionth where seconds are no whole number", function()
    assert.equal(2, cost_of(given { videos = { per_second = 0.000001 } },
      { model = "videos", duration = 1.5 }))
  end)

  it("follows the resolution, the server's where none is given", function()
    local option = given { videos = { per_second = { ["720p"] = 0.1,
      ["1080p"] = 0.2 } } }
    assert.equal(500000, cost_of(option, { model = "videos", duration = 5 }))
    assert.equal(1000000, cost_of(option, { model = "videos", duration = 5,
      resolution = "1080p" }))
  end)

  it("has the server's duration where none is given", function()
    assert.equal(300000, cost_of(given { starvideos_o3 = { per_second = 0.1 } },
      { model = "starvideos_o3" }))
  end)

  it("has the length of the reference video where that sets it", function()
    local option = given { starvideos_o3 = { per_second = 0.1 } }
    assert.equal(1000000, cost_of(option, { model = "starvideos_o3",
      duration = 3, referenceVideos = { { url = "https://a.test/1.mp4",
        duration = 9.2 } } }))
    assert.equal(300000, cost_of(option, { model = "starvideos_o3",
      duration = 3, referenceVideos = {} }))
  end)

  describe("is not known", function()
    local by_second = given { starvideos_o3 = { per_second = 0.1 },
      videos = { per_second = 0.1 } }
    local cases = {
      ["without one of the model"] = { given {}, { model = "videos",
        duration = 5 }, "no price is given for the model videos" },
      ["without a duration"] = { by_second, { model = "videos" },
        "its duration is not known" },
      ["for a duration that is none"] = { by_second, { model = "videos",
        duration = "5" }, "its duration is not known" },
      ["for a duration below 0"] = { by_second, { model = "videos",
        duration = -5 }, "its duration is not known" },
      ["for a reference video of unknown length"] = { by_second,
        { model = "starvideos_o3", duration = 3,
          referenceVideos = { "https://a.test/1.mp4" } },
        "length is that of the reference video" },
      ["for a resolution without one"] = {
        given { videos = { per_video = { ["720p"] = 1 } } },
        { model = "videos", resolution = "480p" },
        "no price is given for the resolution 480p" },
      ["by resolution of a model that has none"] = {
        given { starvideos_o3 = { per_video = { ["720p"] = 1 } } },
        { model = "starvideos_o3" }, "resolution, which is not known" },
      ["for a length beyond counting"] = { by_second, { model = "videos",
        duration = 1e12 }, "too high" },
    }
    for name, case in pairs(cases) do
      it(name, function()
        local cost, why = cost_of(case[1], case[2])
        assert.is_nil(cost)
        assert.truthy(why:find(case[3], 1, true), why)
      end)
    end
  end)
end)

describe("a function of prices", function()
  local params = { model = "videos", duration = 5 }

  it("gets the order and its model", function()
    local seen
    assert.equal(250000, cost_of(function(order, model)
      seen = { order.duration, model.name }
      order.duration = 1000
      return 0.25
    end, params))
    assert.same({ 5, "videos" }, seen)
    assert.equal(5, params.duration)
  end)

  it("may give what sums of decimals are", function()
    for _, case in ipairs { { 0.1 + 0.2, 300000 }, { 0.07 * 5, 350000 },
      { 1 / 3, 333334 }, { 0, 0 } } do
      assert.equal(case[2], cost_of(function() return case[1] end, params))
    end
  end)

  it("may name its currency, or know no price", function()
    local loaded = assert(prices.load({ currency = "credits",
      cost = function() end }, catalog))
    assert.equal("credits", loaded.currency)
    local cost, why = loaded:cost(params)
    assert.is_nil(cost)
    assert.truthy(why:find("gives none", 1, true))
  end)

  it("raises where it gives no price", function()
    for _, price in ipairs { -1, 0 / 0, math.huge, "1", false } do
      assert.has_error(function()
        cost_of(function() return price end, params)
      end)
    end
  end)
end)

describe("prices are refused", function()
  local cases = {
    { { models = {} }, "prices: currency is missing" },
    { { currency = "", models = {} }, "prices: currency is \"\"" },
    { { currency = "US\nD", models = {} }, "currency is" },
    { { currency = 1, models = {} }, "currency is 1" },
    { { currency = "USD" }, "models is missing" },
    { { currency = "USD", models = 1 }, "models is 1" },
    { { currency = "USD", models = {}, model = {} }, "model is no field" },
    { { currency = "USD", cost = 5 }, "cost is 5" },
    { given { nothing = { per_video = 1 } },
      "models.nothing is no model that this version knows" },
    { given { { per_video = 1 } }, "models.1 is no model" },
    { given { videos = 5 }, "models.videos is 5" },
    { given { videos = {} }, "models.videos has no price" },
    { given { videos = { per_minute = 1 } },
      "models.videos.per_minute is no price" },
    { given { videos = { per_video = "1" } }, "models.videos.per_video is \"1\"" },
    { given { videos = { per_video = true } },
      "models.videos.per_video is a boolean" },
    { given { videos = { per_video = -0.5 } },
      "models.videos.per_video is -0.5: a price is a number from 0" },
    { given { videos = { per_video = 0 / 0 } }, "models.videos.per_video is " },
    { given { videos = { per_video = 1 / 0 } },
      "models.videos.per_video is inf" },
    { given { videos = { per_video = 1e7 } }, "from 0 to 1000000" },
    { given { videos = { per_second = 0.0000001 } },
      "models.videos.per_second is 1e-07, which is finer than a millionth" },
    { given { videos = { per_second = 0.1000001 } }, "finer than a millionth" },
    { given { videos = { per_second = {} } }, "per_second is empty" },
    { given { videos = { per_second = { 1 } } }, "per_second is a list" },
    { given { videos = { per_second = { ["720p"] = -1 } } },
      "models.videos.per_second.720p is -1" },
  }
  for _, case in ipairs(cases) do
    it("where " .. case[2], function()
      local loaded, why = prices.load(case[1], catalog)
      assert.is_nil(loaded)
      assert.truthy(why:find(case[2], 1, true), why)
    end)
  end

  it("not for a model that another edition has", function()
    assert(prices.load(given { videos_fast = { per_video = 1 } },
      core.catalog { edition = "mingyan" }))
  end)

  it("not for a model that the client was given", function()
    assert(prices.load(given { house = { per_video = 1 } }, core.catalog {
      models = { { name = "house", endpoint = "/v1/house" } } }))
  end)
end)

describe("a file of prices", function()
  local path

  before_each(function()
    path = os.tmpname()
  end)

  after_each(function()
    os.remove(path)
  end)

  local function refusal(text)
    files.write(path, text)
    local loaded, why = prices.load(path, catalog)
    assert.is_nil(loaded)
    assert.truthy(why:find(path, 1, true), why)
    return why
  end

  it("is read, also with a byte order mark", function()
    for _, mark in ipairs { "", "\239\187\191" } do
      files.write(path, mark .. [[{ "currency": "USD",
        "models": { "videos": { "per_second": { "720p": 0.08 } } } }]])
      assert.equal(400000, cost_of(path, { model = "videos", duration = 5 }))
    end
  end)

  it("is named where it is no JSON, or holds no price", function()
    assert.truthy(refusal("{"):find("no JSON object", 1, true))
    assert.truthy(refusal("5"):find("no JSON object", 1, true))
    assert.truthy(refusal(""):find("no JSON object", 1, true))
    assert.truthy(refusal('{"currency":"USD","models":{"videos":{"per_video":-1}}}')
      :find("models.videos.per_video is -1", 1, true))
    assert.truthy(refusal('{"currency":"USD","models":{"videos":{"per_video":1e999}}}')
      :find("models.videos.per_video is inf", 1, true))
  end)

  it("is named where it cannot be read", function()
    os.remove(path)
    local loaded, why = prices.load(path, catalog)
    assert.is_nil(loaded)
    assert.truthy(why:find("cannot be read: " .. path, 1, true), why)
    assert.is_nil((prices.load("/tmp", catalog)))
  end)
end)
