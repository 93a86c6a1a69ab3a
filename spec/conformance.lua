--- What the provider's five documents ask of a client, in our words: 1 creates of
-- starvideos_o3, 2 those of the Videos series, 3 queries, 4 the second again in a shorter
-- form, 5 the newer edition of the Videos series, mingyan. They are no part of this project.
--
-- A group has `documents` and `columns`, the models that its rows are about. A row: the
-- place in the documents, the rule, and what holds it:
-- - `says`: values of the catalog's row, which the sandbox's has as well;
-- - `takes`, `refuses`: changes to a plain order that validate and the sandbox judge
--   alike; false takes a field away;
-- - `warns`: pairs of such changes and the field and code of each warning;
-- - `body`: pairs of such changes and those with which the order is sent;
-- - `mode`: pairs of such changes and how the order's mode is called;
-- - `held_by`: pairs of a file of specs and how the name of an `it` begins.

-- A model, and behind an @ the edition; without one it is the default of a client: each
-- model as the newest text that lists it has it.
local O3 = "starvideos_o3 starvideos_o3@xingchao starvideos_o3@mingyan "
local OLD = "videos@xingchao videos_fast videos_fast@xingchao "
local WIDE, FAST = "videos videos@mingyan ", "videos_stable_fast videos_stable_fast@mingyan "
local STABLE = "videos_stable videos_stable@mingyan " .. FAST
local NEW, SERIES = WIDE .. STABLE, OLD .. WIDE .. STABLE

local MB = 1048576 -- the documents do not say which; the larger one refuses less
local URL, OTHER = "https://media.example/1", "https://media.example/2"

-- Changes for each of the values of a field.
local function each(field, ...)
  local list = {}
  for index, value in ipairs { ... } do
    list[index] = { [field] = value }
  end
  return list
end

-- Several changes as one.
local function plus(...)
  local all = {}
  for _, changes in ipairs { ... } do
    for name, value in pairs(changes) do
      all[name] = value
    end
  end
  return all
end

-- So many references, each with the same facts.
local function media(field, count, facts)
  local list = {}
  for index = 1, count do
    list[index] = plus({ url = "https://media.example/" .. index }, facts or {})
  end
  return { [field] = list }
end

local function images(...) return media("referenceImages", ...) end
local function videos(...) return media("referenceVideos", ...) end
local function pixels(width, height) return videos(1, { width = width, height = height }) end
local function sounds(...) return media("referenceAudios", ...) end
local function text(count) return { prompt = ("图"):rep(count) } end

local FRAMES = { first_image = URL, last_image = OTHER }
local OLD_FRAMES = { image = URL, lastFrameImage = OTHER }
local VIDEO, NO_LENGTH = { referenceVideos = { URL } }, { duration = false }

local create, query = "spec/unit/order/create_spec.lua", "spec/unit/wait/query_spec.lua"
local answer, wait = "spec/unit/provider/answer_spec.lua", "spec/unit/wait/init_spec.lua"
local sandbox, wire = "spec/unit/sandbox/provider_spec.lua", "spec/integration/wire_spec.lua"
local client, rules, endpoints = "spec/unit/client_spec.lua", "spec/unit/rules/limits_spec.lua",
  "spec/unit/sandbox/limits_spec.lua"
local orders, documents = "spec/unit/order/generate_spec.lua", "spec/unit/documents_spec.lua"
local links = "spec/unit/order/download_fault_spec.lua"

return {
  { documents = { 1, 2, 3, 4, 5 }, columns = "",
    { "base URL, endpoint", "one host and prefix; a create is a POST, a query a GET below it",
      held_by = { { create, "goes to %s for %s" },
        { query, "is a GET with the key, without a body" },
        { client, "is put right or refused with" } } },
    { "authentication, example", "the key as a bearer token; the body is JSON, as its header says",
      held_by = { { create, "carries the key, and JSON both ways" } } },
    { "response", "id, object, created, model, status, error; a create is queued, without error",
      held_by = { { sandbox, "answers a create with exactly the documented fields" },
        { answer, "keeps the provider's own field names" } } },
    { "response, id", "must be kept: every query needs it",
      held_by = { { "spec/ledger/placing.lua", "has its task written down before create returns" },
        { wire, "is named on stderr at the end where no ledger has it" } } },
    { "response, status", "queued, processing, then completed or failed, at which the queries stop",
      held_by = { { answer, "is %s where the status is %q" },
        { wait, "begin after one interval and end with the task" } } },
    { "response, error", "null on success; why, once the task has failed",
      held_by = { { answer, "has no error where the provider wrote an empty one" },
        { wait, "is an error with the provider's text when it failed" } } },
  },
  { documents = { 1, 2, 4, 5 }, columns = "", -- our words of what each model is best for
    { "models", "videos for quality, _fast for speed, the stable ones are Video2, whole and fast",
      held_by = { { documents, "say of each model what the catalog does" } } },
    { "request, prompt; suggestions", "name subject, action, scene, camera and style; nothing"
      .. " prohibited", held_by = { { documents, "hand on the advice of the provider's" } } },
    { "best practices", "frames as of one shot; short, clear references with one subject",
      held_by = { { documents, "hand on the advice of the provider's" } } },
  },
  { documents = { 1, 2, 4, 5 }, columns = O3 .. SERIES,
    { "request, model", "must be there, and be a model of the document",
      refuses = each("model", false, "videos_slow", "VIDEOS", "") },
    { "request, prompt", "must be there, as text", takes = { text(1), text(1500) },
      refuses = each("prompt", false, 7, "") },
    { "request, duration", "a whole number, no text", refuses = each("duration", 8.5, "8") },
    { "frames", "the first and the last come together, each a URL", takes = { FRAMES },
      refuses = { { first_image = URL }, { last_image = URL },
        { first_image = URL, last_image = "b.png" } } },
    { "frames", "not beside reference images or videos", refuses = { plus(FRAMES, images(1)),
      plus(FRAMES, VIDEO), plus(FRAMES, images(1), VIDEO) } },
    { "frames", "no size is named for them: what no reference image may be is sent all the same",
      takes = { plus(FRAMES, { first_image = { url = URL, bytes = 21 * MB } }) } },
    { "references", "lists of URLs, of which an empty one is none",
      takes = { plus(FRAMES, images(0)) },
      refuses = each("referenceImages", URL, { "b.png" }, { 7 }) },
    { "modes", "a prompt alone, two frames, or references: images, a video or both", mode = {
      { {}, "text" }, { FRAMES, "frames" }, { images(1), "image reference" },
      { videos(1), "video reference" }, { plus(images(1), videos(1)), "image + video" } } },
  },
  { documents = { 1 }, columns = O3,
    { "endpoint, model", "this model alone, at a path of its own",
      says = { endpoint = "/v1/starvideos/videos", editions = "xingchao, mingyan" },
      held_by = { { endpoints, "refuses a model at the other endpoint" } } },
    { "request, prompt", "no longest one is named", takes = { text(20000) } },
    { "request, duration", "3 to 15 s; 3 is the server's choice, left to it",
      says = { duration = { min = 3, max = 15, default = 3 } },
      takes = each("duration", false, 3, 15), refuses = each("duration", 2, 16),
      body = { { NO_LENGTH, NO_LENGTH } } },
    { "request, ratio", "one of three; 9:16 is the server's choice, left to it",
      says = { ratio = { values = "9:16, 1:1, 16:9", default = "9:16" } },
      takes = each("ratio", "9:16", "1:1", "16:9"), refuses = each("ratio", "4:3", "16x9", ""),
      body = { { {}, {} } } },
    { "request", "no resolution, sounds or older names of frames",
      refuses = { { resolution = "720p" }, sounds(1), OLD_FRAMES } },
    { "reference images", "at most 7, and 4 beside a video",
      says = { referenceImages = { max = 7, max_with_video = 4 } },
      takes = { images(7), plus(images(4), videos(1)) },
      refuses = { images(8), plus(images(5), videos(1)) } },
    { "reference videos", "one, of 3 to 10 s",
      says = { referenceVideos = { max = 1, max_with_video = 1, min_duration = 3,
        max_duration = 10 } },
      takes = { videos(1, { duration = 3 }), videos(1, { duration = 10 }) },
      refuses = { videos(2), videos(1, { duration = 2.9 }), videos(1, { duration = 10.1 }) } },
    { "reference videos", "sets length and shape of the output: neither duration nor ratio is sent",
      says = { referenceVideos = { sets_output = true } },
      takes = { plus(NO_LENGTH, VIDEO) }, warns = { { plus(VIDEO, { ratio = "2:1" }),
        "duration ignored_field, ratio ignored_field" } },
      body = { { plus(VIDEO, { ratio = "1:1" }), plus(VIDEO, NO_LENGTH) } } },
  },
  { documents = { 2, 4, 5 }, columns = SERIES,
    { "endpoint, models", "one path, and each request is billed",
      says = { endpoint = "/v1/videos/videos", billing = "per request" } },
    { "request, duration", "must be there, beside a video, too: 4 to 15 s",
      says = { duration = { required = true, min = 4, max = 15 } }, takes = each("duration", 4, 15),
      refuses = { NO_LENGTH, plus(NO_LENGTH, VIDEO), { duration = 3 }, { duration = 16 } } },
    { "request, ratio", "16:9 is the server's choice, left to it; counts beside a video, too",
      says = { ratio = { default = "16:9" } }, takes = each("ratio", "16:9", "9:16", "1:1"),
      refuses = { { ratio = "2:1" }, plus(VIDEO, { ratio = "2:1" }) },
      body = { { {}, {} }, { plus(VIDEO, { ratio = "1:1" }), plus(VIDEO, { ratio = "1:1" }) } } },
    { "request, resolution", "720p, which is also the server's choice",
      says = { resolution = { values = "720p", default = "720p" } },
      takes = each("resolution", "720p"), refuses = each("resolution", "1080p", "") },
    { "older names", "image and lastFrameImage stand for the frames; beside a new name they must"
      .. " say the same, and that is sent alone", says = { frames = { legacy_aliases = true } },
      takes = { { first_image = URL, lastFrameImage = OTHER } },
      refuses = { { image = URL }, { lastFrameImage = URL }, plus(FRAMES, { image = OTHER }),
        plus(FRAMES, { lastFrameImage = URL }) },
      body = { { OLD_FRAMES, FRAMES }, { plus(FRAMES, OLD_FRAMES), FRAMES } } },
    { "older names", "not beside reference images or videos",
      refuses = { plus(OLD_FRAMES, images(1)), plus(OLD_FRAMES, VIDEO) } },
    { "reference videos", "at most 3", says = { referenceVideos = { max = 3, max_with_video = 3 } },
      takes = { videos(3) }, refuses = { videos(4) } },
    { "reference videos", "together at most 15 s and 200 MB",
      says = { referenceVideos = { total_duration = 15, total_bytes = 200 * MB } },
      takes = { videos(3, { duration = 5 }), videos(2, { bytes = 100 * MB }) },
      refuses = { videos(3, { duration = 5.1 }), videos(2, { bytes = 100 * MB + 1 }) } },
    { "reference videos", "720 to 2160 pixels each, which we read as the shorter side",
      says = { referenceVideos = { min_pixels = 720, max_pixels = 2160 } },
      takes = { pixels(1280, 720), pixels(2160, 3840) },
      refuses = { pixels(719, 1280), pixels(2161, 3840) } },
  },
  { documents = { 2, 4, 5 }, columns = OLD .. STABLE,
    { "request, ratio", "one of three", says = { ratio = { values = "16:9, 9:16, 1:1" } },
      refuses = each("ratio", "21:9", "4:3", "3:4") },
    { "reference images", "at most 4, beside videos, too",
      says = { referenceImages = { max = 4, max_with_video = 4 } },
      takes = { images(4), plus(images(4), videos(3)) }, refuses = { images(5) } },
  },
  { documents = { 2, 4 }, columns = OLD,
    { "models", "videos and videos_fast", says = { editions = "xingchao" },
      held_by = { { rules, 'edition .. " has exactly its models' } } },
    { "request, prompt", "at most 1500 characters", says = { prompt = { max = 1500 } },
      takes = { text(1500) }, refuses = { text(1501) } },
    { "reference images", "each of less than 20 MB",
      says = { referenceImages = { max_bytes = 20 * MB, below = true } },
      takes = { images(1, { bytes = 20 * MB - 1 }) },
      refuses = { images(1, { bytes = 20 * MB }) } },
    { "references", "no sounds", refuses = { sounds(1) } },
  },
  { documents = { 5 }, columns = NEW,
    { "models", "videos, videos_stable and videos_stable_fast", says = { editions = "mingyan" },
      held_by = { { rules, 'edition .. " has exactly its models' } } },
    { "reference images", "each of 20 MB at most",
      says = { referenceImages = { max_bytes = 20 * MB } },
      takes = { images(1, { bytes = 20 * MB }) },
      refuses = { images(1, { bytes = 20 * MB + 1 }) } },
    { "reference audios", "together at most 15 s, also beside images and videos",
      says = { referenceAudios = { total_duration = 15 } },
      takes = { sounds(1, { duration = 15 }), plus(images(1), videos(1), sounds(1)) },
      mode = { { plus(images(1), videos(1), sounds(1)), "image + video with audio" } },
      refuses = { sounds(1, { duration = 15.1 }) } },
    { "frames, older names", "not beside sounds",
      refuses = { plus(FRAMES, sounds(1)), plus(OLD_FRAMES, sounds(1)) } },
  },
  { documents = { 5 }, columns = WIDE,
    { "request, prompt", "no longest one is named", takes = { text(5001) } },
    { "request, ratio", "one of six",
      says = { ratio = { values = "21:9, 16:9, 4:3, 1:1, 3:4, 9:16" } },
      takes = each("ratio", "21:9", "4:3", "3:4") },
    { "reference images", "at most 9, beside videos, too",
      says = { referenceImages = { max = 9, max_with_video = 9 } },
      takes = { images(9), plus(images(9), videos(3)) }, refuses = { images(10) } },
    { "reference audios", "at most 3", says = { referenceAudios = { max = 3, max_with_video = 3 } },
      takes = { sounds(3, { duration = 5 }) },
      refuses = { sounds(4), sounds(3, { duration = 5.1 }) } },
  },
  { documents = { 5 }, columns = STABLE,
    { "request, prompt", "at most 5000 characters", says = { prompt = { max = 5000 } },
      takes = { text(5000) }, refuses = { text(5001) } },
    { "reference audios", "one", says = { referenceAudios = { max = 1, max_with_video = 1 } },
      refuses = { sounds(2) } },
  },
  { documents = {}, columns = FAST,
    { "programs in use", "of the fast one only 10 and 15 s may be taken",
      says = { duration = { advised = "10, 15" } },
      warns = { { { duration = 5 }, "duration advisory" } } },
  },
  { documents = {}, columns = "videos@mingyan " .. STABLE,
    { "programs in use", "sounds alone may be refused",
      warns = { { sounds(1), "referenceAudios advisory" } } },
  },
  { documents = { 2, 4, 5 }, columns = "videos",
    { "all", "where 2 and 4 refuse of videos what 5 takes, it is sent, with a warning", warns = {
      { text(1501), "prompt advisory" }, { { ratio = "21:9" }, "ratio advisory" },
      { images(5), "referenceImages advisory" }, { images(1, { bytes = 20 * MB }),
        "referenceImages[1] advisory" },
      { plus(images(1), sounds(1)), "referenceAudios advisory" } } },
  },
  { documents = { 3 }, columns = "",
    { "id", "in the path as the create answered it",
      held_by = { { query, "carries an id percent-encoded: " } } },
    { "response, model", "that of the create; older tasks have others, so it is not compared",
      held_by = { { query, "does not compare the model" } } },
    { "response, video_url", "null until the task is completed, and then there",
      held_by = { { sandbox, "takes a task from queued to completed" },
        { wait, "is a protocol error with the task when there is no link" } } },
    { "response, actualDuration", "seconds, maybe a fraction, once the task is completed",
      held_by = { { answer, "has its link, its length and no userdata" } } },
    { "polling", "30 to 60 s between two queries of a task",
      held_by = { { wait, "begin at 30 s apart and grow to 60 s" },
        { "spec/unit/wait/pauses_spec.lua", "%s are 30 to 60 s where the answer is %s" } } },
    { "polling", "who asks too often may be limited",
      held_by = { { "spec/unit/wait/rate_limit_spec.lua", "halves the rate" } } },
    { "result", "the link is good for a short while: save at once, or query again for a new one",
      held_by = { { orders, "orders, waits and saves" },
        { links, 'with HTTP " .. status .. " is renewed once' } } },
  },
}
