-- How the provider's documents call what an order makes a video of.

local bodies = require "starvideos.provider.body"
local json = require "starvideos.base.json"

local URL = "https://a.test/1"

describe("the mode of an order", function()
  local cases = {
    { "text", {} },
    { "text", { referenceImages = {}, referenceVideos = json.null } },
    { "image reference", { referenceImages = { URL } } },
    { "image reference", { referenceImages = { URL, { url = URL } } } },
    { "frames", { first_image = URL, last_image = URL } },
    { "frames", { first_image = { url = URL, bytes = 1 }, last_image = URL } },
    { "frames", { image = URL, lastFrameImage = URL } },
    { "frames", { first_image = URL, lastFrameImage = URL, referenceImages = {} } },
    { "video reference", { referenceVideos = { URL } } },
    { "image + video", { referenceVideos = { URL }, referenceImages = { URL } } },
    { "text with audio", { referenceAudios = { URL } } },
    { "image reference with audio",
      { referenceImages = { URL }, referenceAudios = { URL } } },
    { "video reference with audio",
      { referenceVideos = { URL }, referenceAudios = { URL } } },
    { "image + video with audio", { referenceVideos = { URL },
      referenceImages = { URL }, referenceAudios = { URL } } },
  }
  for index, case in ipairs(cases) do
    it(("is %s (%d), before and after its body is made"):format(case[1], index),
      function()
        local params = { model = "videos", prompt = "a kite" }
        for name, value in pairs(case[2]) do
          params[name] = value
        end
        assert.equal(case[1], bodies.mode(params))
        local row = { endpoint = "/v1", frames = { legacy_aliases = true } }
        assert.equal(case[1], bodies.mode(assert(bodies.build(params, row)).fields))
      end)
  end
end)
