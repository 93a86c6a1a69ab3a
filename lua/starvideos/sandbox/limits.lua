-- What each model takes, as the provider's documents have it.
-- Written from the documents only: do not fill it from the library's own
-- catalog, because each catches the other's mistakes.

local _M = {}

-- Every field but `model`, with its kind: `text`, `integer`, `choice`, `frame` or
-- `references`. A field of these kinds needs a row here and its limits in the models'
-- rows. A model takes the fields it has limits for, and those `everywhere`. `required`:
-- where the model has no default; `led`: a reference video decides in its place;
-- `alias`: its old name.
_M.fields = {
  { name = "prompt", kind = "text", everywhere = true, required = true },
  { name = "duration", kind = "integer", required = true, led = true },
  { name = "ratio", kind = "choice", led = true },
  { name = "resolution", kind = "choice" },
  { name = "referenceImages", kind = "references" },
  { name = "referenceVideos", kind = "references" },
  { name = "referenceAudios", kind = "references" },
  { name = "first_image", kind = "frame", everywhere = true, alias = "image" },
  { name = "last_image", kind = "frame", everywhere = true,
    alias = "lastFrameImage" },
}

-- The documents say "MB" without saying which; the larger one refuses less.
local MB = 1048576

local STARVIDEOS = "/v1/starvideos/videos"
local VIDEOS = "/v1/videos/videos"

local THREE_RATIOS = { "16:9", "9:16", "1:1", default = "16:9" }
local SIX_RATIOS = { "21:9", "16:9", "4:3", "1:1", "3:4", "9:16",
  default = "16:9" }

-- Total seconds and bytes of all reference videos; pixels of the shorter
-- side of each.
local THREE_VIDEOS = { max = 3, total_seconds = 15, total_bytes = 200 * MB,
  pixels = { 720, 2160 } }

local starvideos_o3 = {
  path = STARVIDEOS,
  duration = { 3, 15, default = 3 },
  ratio = { "9:16", "1:1", "16:9", default = "9:16" },
  referenceImages = { max = 7, beside_video = 4 },
  -- The output takes its length and shape from the reference video.
  referenceVideos = { max = 1, seconds = { 3, 10 }, leads = true },
}

local xingchao_videos = {
  path = VIDEOS,
  prompt = 1500,
  duration = { 4, 15 },
  ratio = THREE_RATIOS,
  resolution = { "720p" },
  aliases = true,
  referenceImages = { max = 4, bytes_below = 20 * MB },
  referenceVideos = THREE_VIDEOS,
}

local stable = {
  path = VIDEOS,
  prompt = 5000,
  duration = { 4, 15 },
  ratio = THREE_RATIOS,
  resolution = { "720p" },
  aliases = true,
  referenceImages = { max = 4, bytes = 20 * MB },
  referenceVideos = THREE_VIDEOS,
  referenceAudios = { max = 1, total_seconds = 15 },
}

local EDITIONS = {
  xingchao = {
    starvideos_o3 = starvideos_o3,
    videos = xingchao_videos,
    videos_fast = xingchao_videos,
  },
  mingyan = {
    starvideos_o3 = starvideos_o3,
    videos = {
      path = VIDEOS,
      duration = { 4, 15 },
      ratio = SIX_RATIOS,
      resolution = { "720p" },
      aliases = true,
      referenceImages = { max = 9, bytes = 20 * MB },
      referenceVideos = THREE_VIDEOS,
      referenceAudios = { max = 3, total_seconds = 15 },
    },
    videos_stable = stable,
    videos_stable_fast = stable,
  },
}

-- Oldest document first: of a model in both, the newer row stays.
local AGE = { "xingchao", "mingyan" }

-- The models of an edition by name; without one every model, as the newest text that
-- lists it says. Nil for an unknown edition.
function _M.of(edition)
  if edition ~= nil then
    return EDITIONS[edition]
  end
  local merged = {}
  for _, name in ipairs(AGE) do
    for model, row in pairs(EDITIONS[name]) do
      merged[model] = row
    end
  end
  return merged
end

return _M
