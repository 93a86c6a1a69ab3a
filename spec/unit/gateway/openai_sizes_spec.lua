-- Sizes in pixels, against what the catalog has.

local core = require "starvideos.core"
local openai = require "starvideos.gateway.openai"

local catalog = core.catalog()

local function names(model)
  local list = {}
  for index, found in ipairs(openai.sizes(catalog:model(model))) do
    list[index] = found.size
  end
  return list
end

describe("sizes", function()
  it("are those of the model's resolutions and ratios", function()
    assert.same({ "1680x720", "1280x720", "960x720", "720x720", "720x960",
      "720x1280" }, names "videos")
    assert.same({ "1280x720", "720x1280", "720x720" }, names "videos_fast")
    assert.same({}, names "starvideos_o3")
  end)

  it("are found by their whole text alone", function()
    local row = catalog:model "videos"
    local found = openai.find_size(row, "720x1280")
    assert.same({ "720p", "9:16" }, { found.resolution, found.ratio })
    for _, size in ipairs { "1792x1024", "1280x0720", "1280X720", "1280x720 ",
      "", "x", 720, {} } do
      assert.is_nil(openai.find_size(row, size))
    end
    assert.is_nil(openai.find_size(row, nil))
  end)

  it("of an order are what it says, and else what the provider documents", function()
    local row = catalog:model "videos"
    assert.equal("1280x720", openai.size(row, {}))
    assert.equal("720x960", openai.size(row, { ratio = "3:4", resolution = "720p" }))
    assert.is_nil(openai.size(catalog:model "starvideos_o3", { ratio = "9:16" }))
  end)

  it("leave out what gives no whole number of pixels", function()
    local row = { resolution = { values = { "721p", "720p", "4k" } },
      ratio = { values = { "16:9", "auto", "0:1" } } }
    local list = {}
    for _, found in ipairs(openai.sizes(row)) do
      list[#list + 1] = found.size
    end
    assert.same({ "1280x720" }, list)
  end)
end)
