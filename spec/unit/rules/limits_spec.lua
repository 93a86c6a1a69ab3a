-- The limits of api-contract.md, one column of its table after the other: what
-- stands just at a limit passes, what is one step past it does not.

local core = require "starvideos.core"

local MB = 1048576
local SIX_RATIOS = { "21:9", "16:9", "4:3", "1:1", "3:4", "9:16" }
local THREE_RATIOS = { "16:9", "9:16", "1:1" }
local FRAMES = { "first_image", "last_image" }
local OLD_FRAMES = { "image", "lastFrameImage" }

--- A column of the table: what `base` says holds where `own` does not differ.
local function column(own, base)
  for name, value in pairs(base or {}) do
    if own[name] == nil then own[name] = value end
  end
  return own
end

local series = {
  prompt = false, required = true, duration = { 4, 15 },
  ratios = THREE_RATIOS, resolution = true, old_names = true,
  images = 4, images_with_video = 4, image_bytes = 20 * MB, below = 0,
  videos = 3, video_total = 15, video_bytes = 200 * MB,
  video_pixels = { 720, 2160 }, audios = 0,
}

local xingchao = column({ prompt = 1500, below = 1 }, series)
local stable = column({ prompt = 5000, audios = 1 }, series)

local columns = {
  {
    model = "starvideos_o3", editions = { "default", "xingchao", "mingyan" },
    prompt = false, required = false, duration = { 3, 15 },
    ratios = { "9:16", "1:1", "16:9" }, resolution = false, old_names = false,
    images = 7, images_with_video = 4, videos = 1, video_seconds = { 3, 10 },
    audios = 0, ignores = true,
  },
  column({
    model = "videos", editions = { "default", "mingyan" },
    ratios = SIX_RATIOS, images = 9, images_with_video = 9, audios = 3,
  }, series),
  column({ model = "videos", editions = { "xingchao" } }, xingchao),
  column({
    model = "videos_fast", editions = { "default", "xingchao" },
  }, xingchao),
  column({
    model = "videos_stable", editions = { "default", "mingyan" },
  }, stable),
  column({
    model = "videos_stable_fast", editions = { "default", "mingyan" },
    advised = true,
  }, stable),
}

local function catalog_of(edition)
  return core.catalog { edition = edition ~= "default" and edition or nil }
end

--- `count` references with the same facts.
local function media(count, facts)
  local list = {}
  for i = 1, count do
    list[i] = { url = ("https://cdn.example/%d"):format(i) }
    for name, value in pairs(facts or {}) do list[i][name] = value end
  end
  return list
end

--- References that have one fact each, the next of `values`.
local function each_with(fact, values)
  local list = media(#values)
  for i, value in ipairs(values) do list[i][fact] = value end
  return list
end

-- Each function below lists cases { what, at, past, field, code, limit }: the
-- changes to a plain order that just pass and those that are refused.

local function prompt_cases(c)
  local at = c.prompt or 200000
  local case = { "prompt", { prompt = ("x"):rep(at) } }
  if c.prompt then
    case[3] = { prompt = ("x"):rep(at + 1) }
    case[4], case[5], case[6] = "prompt", "too_long", at
  end
  return { case }
end

local function duration_cases(c)
  local min, max = c.duration[1], c.duration[2]
  return {
    { "shortest duration", { duration = min }, { duration = min - 1 },
      "duration", "out_of_range", min },
    { "longest duration", { duration = max }, { duration = max + 1 },
      "duration", "out_of_range", max },
  }
end

local function count_cases(c)
  local cases = {
    { "number of images", { referenceImages = media(c.images) },
      { referenceImages = media(c.images + 1) },
      "referenceImages", "too_many", c.images },
    { "number of images beside a video",
      { referenceImages = media(c.images_with_video),
        referenceVideos = media(1) },
      { referenceImages = media(c.images_with_video + 1),
        referenceVideos = media(1) },
      "referenceImages", "too_many", c.images_with_video },
    { "number of videos", { referenceVideos = media(c.videos) },
      { referenceVideos = media(c.videos + 1) },
      "referenceVideos", "too_many", c.videos },
  }
  if c.audios > 0 then
    cases[4] = { "number of audios", { referenceAudios = media(c.audios) },
      { referenceAudios = media(c.audios + 1) },
      "referenceAudios", "too_many", c.audios }
  end
  return cases
end

local function image_cases(c)
  if not c.image_bytes then
    return { { "size of an image",
      { referenceImages = media(1, { bytes = 1e12 }) } } }
  end
  local at, limit = c.image_bytes - c.below, c.image_bytes
  return {
    { "size of an image", { referenceImages = media(1, { bytes = at }) },
      { referenceImages = media(1, { bytes = at + 1 }) },
      "referenceImages[1]", "media_too_large", limit },
  }
end

local function one_video(facts)
  return { referenceVideos = media(1, facts) }
end

local function video_length_cases(c)
  if not c.video_seconds then return {} end
  local min, max = c.video_seconds[1], c.video_seconds[2]
  return {
    { "shortest video", one_video { duration = min },
      one_video { duration = min - 0.1 },
      "referenceVideos[1]", "media_too_short", min },
    { "longest video", one_video { duration = max },
      one_video { duration = max + 0.1 },
      "referenceVideos[1]", "media_too_long", max },
  }
end

local function video_total_cases(c)
  if not c.video_total then return {} end
  local half = c.video_bytes / 2
  local function videos(fact, values)
    return { referenceVideos = each_with(fact, values) }
  end
  return {
    { "length of all videos", videos("duration", { 5, 5, 5 }),
      videos("duration", { 5, 5, 5.1 }),
      "referenceVideos", "media_too_long", c.video_total },
    { "size of all videos", videos("bytes", { half, half }),
      videos("bytes", { half, half + 1 }),
      "referenceVideos", "media_too_large", c.video_bytes },
  }
end

local function video_pixel_cases(c)
  if not c.video_pixels then return {} end
  local min, max = c.video_pixels[1], c.video_pixels[2]
  return {
    { "fewest pixels of a video", one_video { width = min, height = 4000 },
      one_video { width = 4000, height = min - 1 },
      "referenceVideos[1]", "media_resolution", min },
    { "most pixels of a video", one_video { width = 4000, height = max },
      one_video { width = max + 1, height = 4000 },
      "referenceVideos[1]", "media_resolution", max },
  }
end

local function audio_cases(c)
  if c.audios == 0 then return {} end
  local at, past = { 15 }, { 15.1 }
  for i = 2, c.audios do
    at[i - 1], at[i] = 15 / c.audios, 15 / c.audios
    past[i - 1], past[i] = at[i], at[i] + 0.1
  end
  return {
    { "length of all audios",
      { referenceAudios = each_with("duration", at) },
      { referenceAudios = each_with("duration", past) },
      "referenceAudios", "media_too_long", 15 },
  }
end

local case_lists = {
  prompt_cases, duration_cases, count_cases, image_cases, video_length_cases,
  video_total_cases, video_pixel_cases, audio_cases,
}

--- Ten seconds are what every model takes without a warning.
local function order(model, changes)
  local params = { model = model, prompt = "a kite", duration = 10 }
  for name, value in pairs(changes) do params[name] = value end
  return params
end

local function passes(catalog, params)
  local ok, issues = catalog:validate(params)
  assert.is_true(ok, not ok and issues[1].message)
end

--- Exactly one violation, of that field and code.
local function is_refused(catalog, params, field, code, limit)
  local ok, violations = catalog:validate(params)
  assert.is_false(ok)
  assert.equal(1, #violations)
  assert.equal(field .. " " .. code,
    violations[1].field .. " " .. violations[1].code)
  assert.equal(limit, violations[1].limit)
end

local function has(list, value)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
  return false
end

local function specify_cases(c, catalog)
  for _, list in ipairs(case_lists) do
    for _, case in ipairs(list(c)) do
      it("takes the limit: " .. case[1], function()
        passes(catalog, order(c.model, case[2]))
      end)
      if case[3] then
        it("refuses one step past the limit: " .. case[1], function()
          is_refused(catalog, order(c.model, case[3]), case[4], case[5],
            case[6])
        end)
      end
    end
  end
end

local function specify_ratios(c, catalog)
  for _, ratio in ipairs(SIX_RATIOS) do
    local taken = has(c.ratios, ratio)
    it((taken and "takes " or "refuses ") .. ratio, function()
      local params = order(c.model, { ratio = ratio })
      if taken then return passes(catalog, params) end
      is_refused(catalog, params, "ratio", "unsupported_value",
        table.concat(c.ratios, ", "))
    end)
  end
  it("refuses a ratio that no model has", function()
    is_refused(catalog, order(c.model, { ratio = "2:1" }), "ratio",
      "unsupported_value", table.concat(c.ratios, ", "))
  end)
end

local function specify_resolution(c, catalog)
  if not c.resolution then
    return it("has no resolution", function()
      is_refused(catalog, order(c.model, { resolution = "720p" }),
        "resolution", "not_supported")
    end)
  end
  it("takes 720p and no other resolution", function()
    passes(catalog, order(c.model, { resolution = "720p" }))
    is_refused(catalog, order(c.model, { resolution = "1080p" }),
      "resolution", "unsupported_value", "720p")
  end)
end

local function specify_fields(c, catalog)
  it(c.required and "needs a duration" or "needs no duration", function()
    local params = order(c.model, {})
    params.duration = nil
    if not c.required then return passes(catalog, params) end
    is_refused(catalog, params, "duration", "required")
  end)

  if c.audios == 0 then
    it("has no referenceAudios", function()
      is_refused(catalog, order(c.model, { referenceAudios = media(1) }),
        "referenceAudios", "not_supported")
    end)
  end

  for i, old in ipairs(OLD_FRAMES) do
    local params = order(c.model, {
      [old] = "https://cdn.example/1",
      [FRAMES[3 - i]] = "https://cdn.example/2",
    })
    it((c.old_names and "takes " or "has no ") .. old, function()
      if c.old_names then return passes(catalog, params) end
      is_refused(catalog, params, old, "not_supported")
    end)
  end
end

local references = { "referenceImages", "referenceVideos", "referenceAudios" }

local function specify_modes(c, catalog)
  for i, frame in ipairs(FRAMES) do
    it("refuses a lone " .. frame, function()
      is_refused(catalog, order(c.model, { [frame] = "https://h/1" }), frame,
        "incomplete_pair")
    end)
    it("refuses a lone " .. OLD_FRAMES[i], function()
      is_refused(catalog, order(c.model, { [OLD_FRAMES[i]] = "https://h/1" }),
        OLD_FRAMES[i], c.old_names and "incomplete_pair" or "not_supported")
    end)
  end
  for _, field in ipairs(references) do
    if field ~= "referenceAudios" or c.audios > 0 then
      it("refuses frames beside " .. field, function()
        is_refused(catalog, order(c.model, {
          first_image = "https://h/1", last_image = "https://h/2",
          [field] = media(1),
        }), "first_image", "conflict")
      end)
    end
  end
end

local function specify_ignored(c, catalog)
  it(c.ignores and "warns of what a video overrules"
    or "keeps duration and ratio beside a video", function()
    local params = order(c.model, { ratio = "16:9" })
    params.referenceVideos = media(1)
    local ok, warnings = catalog:validate(params)
    assert.is_true(ok)
    if not c.ignores then return assert.is_nil(warnings) end
    assert.equal(2, #warnings)
    for i, field in ipairs { "duration", "ratio" } do
      assert.equal(field, warnings[i].field)
      assert.equal("ignored_field", warnings[i].code)
    end
  end)
end

local function specify_frames(c, catalog)
  local limit = c.image_bytes
  for i, frame in ipairs(FRAMES) do
    it(limit and "warns of a large " .. frame or "limits no " .. frame, function()
      for bytes, warned in pairs { [20 * MB - 1] = false, [21 * MB] = true } do
        local ok, warnings = catalog:validate(order(c.model, {
          [frame] = { url = "https://cdn.example/1", bytes = bytes },
          [FRAMES[3 - i]] = "https://cdn.example/2" }))
        assert.is_true(ok)
        if not (limit and warned) then
          assert.is_nil(warnings)
        else
          assert.same({ { field = frame, code = "advisory", limit = limit,
            actual = bytes, message = ("%s should, as a reference must, have %s"
            .. " 20 MB (20971520 bytes); got 22020096 bytes"):format(frame,
            c.below == 1 and "less than" or "at most") } }, warnings)
        end
      end
    end)
  end
end

local function specify_advice(c, catalog)
  for _, seconds in ipairs { 4, 9, 10, 11, 14, 15 } do
    local warned = c.advised and seconds ~= 10 and seconds ~= 15
    it((warned and "warns of %d s" or "takes %d s without a word")
      :format(seconds), function()
      local ok, warnings = catalog:validate(
        order(c.model, { duration = seconds }))
      assert.is_true(ok)
      assert.equal(warned and "advisory" or nil,
        warnings and warnings[1].code)
    end)
  end
end

for _, c in ipairs(columns) do
  for _, edition in ipairs(c.editions) do
    describe(("%s, edition %s,"):format(c.model, edition), function()
      local catalog = catalog_of(edition)
      specify_cases(c, catalog)
      specify_ratios(c, catalog)
      specify_resolution(c, catalog)
      specify_fields(c, catalog)
      specify_modes(c, catalog)
      specify_ignored(c, catalog)
      specify_frames(c, catalog)
      specify_advice(c, catalog)
    end)
  end
end

-- What the newer text of `videos` takes, and the older one refuses: the changes to a
-- plain order, the field, and how the warning goes on behind "in the edition xingchao it".
local DISAGREEMENTS = {
  { { prompt = ("x"):rep(1501) }, "prompt",
    "may have at most 1500 characters; got 1501" },
  { { ratio = "21:9" }, "ratio", 'must be one of 16:9, 9:16, 1:1; got "21:9"' },
  { { ratio = "4:3" }, "ratio", 'must be one of 16:9, 9:16, 1:1; got "4:3"' },
  { { ratio = "3:4" }, "ratio", 'must be one of 16:9, 9:16, 1:1; got "3:4"' },
  { { referenceImages = media(5) }, "referenceImages",
    "may have at most 4 entries; got 5" },
  { { referenceImages = media(9) }, "referenceImages",
    "may have at most 4 entries; got 9" },
  { { referenceImages = media(1, { bytes = 20 * MB }) }, "referenceImages[1]",
    "must have less than 20 MB (20971520 bytes); got 20971520 bytes" },
  { { referenceAudios = media(1), referenceImages = media(1) }, "referenceAudios",
    "is not a field of videos; leave it out" },
}

describe("where two editions disagree", function()
  for index, case in ipairs(DISAGREEMENTS) do
    it(("the default takes what one does, and warns: %s, %d"):format(case[2], index),
      function()
        local params = order("videos", case[1])
        local ok, warnings = catalog_of "default":validate(params)
        assert.is_true(ok)
        assert.same({ case[2], "advisory",
          case[2] .. " may be refused: in the edition xingchao it " .. case[3] },
          { warnings[1].field, warnings[1].code, warnings[1].message })
        assert.is_nil(warnings[2])
        assert.same({ true }, { catalog_of "mingyan":validate(params) })
        assert.is_false((catalog_of "xingchao":validate(params)))
      end)
  end

  it("a warning has the other edition's limit, and what was given", function()
    local _, warnings = catalog_of "default":validate(order("videos",
      { prompt = ("x"):rep(1501), referenceImages = media(5) }))
    assert.same({ 1500, 1501, 4, 5 }, { warnings[1].limit, warnings[1].actual,
      warnings[2].limit, warnings[2].actual })
  end)

  it("there is no warning of what both take, nor of what is refused anyway", function()
    for _, changes in ipairs { { prompt = ("x"):rep(1500), ratio = "9:16" },
      { referenceImages = media(4, { bytes = 20 * MB - 1 }) } } do
      assert.same({ true },
        { catalog_of "default":validate(order("videos", changes)) })
    end
    for _, changes in ipairs { { ratio = "5:4" }, { duration = 16 }, { prompt = "" },
      { referenceImages = media(10) } } do
      local _, violations, warnings = catalog_of "default":validate(
        order("videos", changes))
      assert.same({ 1, nil }, { #violations, warnings })
    end
  end)

  it("a caller's own row is all that counts", function()
    local row = core.catalog { edition = "mingyan" }:model "videos"
    local catalog = core.catalog { models = { row } }
    assert.same({ true }, { catalog:validate(order("videos", { ratio = "4:3" })) })
  end)
end)

describe("a reference sound alone", function()
  local said = "referenceAudios may be refused: some programs report that a sound"
    .. " alone is; give a reference image or video beside it"

  for _, c in ipairs(columns) do
    if c.audios > 0 then
      it("gives a warning, for " .. c.model, function()
        local catalog = catalog_of "mingyan"
        local ok, warnings = catalog:validate(order(c.model,
          { referenceAudios = media(1) }))
        assert.is_true(ok)
        assert.same({ said, "advisory", nil },
          { warnings[1].message, warnings[1].code, warnings[2] })
        for _, beside in ipairs { "referenceImages", "referenceVideos" } do
          assert.same({ true }, { catalog:validate(order(c.model,
            { referenceAudios = media(1), [beside] = media(1) })) })
        end
        assert.same({ true }, { catalog:validate(order(c.model,
          { referenceAudios = {} })) })
      end)
    end
  end
end)

describe("the edition", function()
  local names = {
    default = { "starvideos_o3", "videos", "videos_fast", "videos_stable",
      "videos_stable_fast" },
    xingchao = { "starvideos_o3", "videos", "videos_fast" },
    mingyan = { "starvideos_o3", "videos", "videos_stable",
      "videos_stable_fast" },
  }
  for edition, expected in pairs(names) do
    it(edition .. " has exactly its models", function()
      local found = {}
      for i, row in ipairs(catalog_of(edition):models()) do
        found[i] = row.name
      end
      table.sort(found)
      assert.same(expected, found)
    end)
  end

  it("tells where a model of another edition is", function()
    for model, at in pairs { videos_stable = "mingyan",
      videos_fast = "xingchao" } do
      local other = at == "mingyan" and "xingchao" or "mingyan"
      local _, violations = catalog_of(other):validate(order(model, {}))
      assert.equal("unknown_model", violations[1].code)
      assert.truthy(violations[1].message:find(
        ("in the edition %s, not in %s"):format(at, other), 1, true))
    end
  end)

  it("refuses an edition that does not exist", function()
    assert.has_error(function() core.catalog { edition = "beijing" } end,
      "edition must be xingchao or mingyan")
    assert.has_error(function() core.catalog { edition = 1 } end)
  end)
end)
