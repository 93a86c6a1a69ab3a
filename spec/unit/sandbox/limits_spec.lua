-- The sandbox against the provider's documents: what stands at a limit is
-- taken, what is one past it is refused, in every edition that has the model.

local json = require "starvideos.base.json"
local limits = require "starvideos.sandbox.limits"
local sandbox = require "starvideos.sandbox"

local MB = 1048576
local FRAME = "https://media.example/frame.png"

local function post(provider, path, params)
  local response = provider:handle{ method = "POST",
    path = "/kyyReactApiServer" .. path, body = json.encode(params),
    headers = { authorization = "Bearer " .. provider.key } }
  return json.decode(response.body)
end

local PATHS = { starvideos_o3 = "/v1/starvideos/videos" }

local function order(model, more)
  local params = { model = model, prompt = "a kite", duration = 5 }
  for name, value in pairs(more or {}) do
    params[name] = value ~= json.null and value or nil
  end
  return params
end

local function takes(edition, model, more)
  local provider = sandbox.new{ edition = edition }
  local body = post(provider, PATHS[model] or "/v1/videos/videos",
    order(model, more))
  local taken = body.id ~= nil and body.status == "queued"
  assert.equal(taken and 1 or 0, provider:tasks().billed)
  return taken, body.msg or body.error
end

local function urls(count, facts)
  local list = {}
  for index = 1, count do
    list[index] = "https://media.example/" .. index .. "?" .. (facts or "")
  end
  return list
end

-- One row for each column of the documents: what is at the limit and what is
-- past it.
local SIX = { "21:9", "16:9", "4:3", "1:1", "3:4", "9:16" }
local THREE = { "16:9", "9:16", "1:1" }

local function videos(own)
  local row = { duration = { 4, 15 }, required = true, ratios = THREE,
    images = 4, videos = 3, series = true, aliases = true }
  for name, value in pairs(own) do
    row[name] = value
  end
  return row
end

local COLUMNS = {
  { models = { "starvideos_o3" }, editions = { "any", "xingchao", "mingyan" },
    duration = { 3, 15 }, ratios = THREE, images = 7, videos = 1 },
  videos{ models = { "videos" }, editions = { "any", "mingyan" },
    ratios = SIX, images = 9, audios = 3, image_bytes = 20 * MB },
  videos{ models = { "videos" }, editions = { "xingchao" }, prompt = 1500,
    image_bytes = 20 * MB - 1 },
  videos{ models = { "videos_fast" }, editions = { "any", "xingchao" },
    prompt = 1500, image_bytes = 20 * MB - 1 },
  videos{ models = { "videos_stable", "videos_stable_fast" },
    editions = { "any", "mingyan" }, prompt = 5000, audios = 1,
    image_bytes = 20 * MB },
}

local function check_prompt(takes_it, row)
  for _, letter in ipairs{ "x", "生" } do
    assert.is_true(takes_it{ prompt = letter:rep(row.prompt or 5001) })
    assert.equal(not row.prompt,
      takes_it{ prompt = letter:rep((row.prompt or 5001) + 1) })
  end
end

local function check_duration(takes_it, row)
  local low, high = row.duration[1], row.duration[2]
  assert.is_true(takes_it{ duration = low })
  assert.is_true(takes_it{ duration = high })
  for _, wrong in ipairs{ low - 1, high + 1, 8.5, "8", true } do
    assert.is_false(takes_it{ duration = wrong })
  end
  assert.equal(not row.required, takes_it{ duration = json.null })
end

local function check_choices(takes_it, row)
  local allowed = {}
  for _, ratio in ipairs(row.ratios) do
    allowed[ratio] = true
  end
  for _, ratio in ipairs{ "21:9", "16:9", "4:3", "1:1", "3:4", "9:16",
    "2:1", "", 1 } do
    assert.equal(allowed[ratio] == true, takes_it{ ratio = ratio })
  end
  assert.equal(row.series == true, takes_it{ resolution = "720p" })
  assert.is_false(takes_it{ resolution = "1080p" })
end

local function check_counts(takes_it, row)
  for field, most in pairs{ referenceImages = row.images,
    referenceVideos = row.videos, referenceAudios = row.audios or 0 } do
    assert.equal(most > 0, takes_it{ [field] = urls(math.max(most, 1)) })
    assert.is_false(takes_it{ [field] = urls(most + 1) })
  end
  for _, wrong in ipairs{ "https://a.example/x", { 7 }, { "" }, { " " },
    { "javascript:x" }, { "/a.png" }, { json.null, "https://a.example" } } do
    assert.is_false(takes_it{ referenceImages = wrong })
  end
end

local function check_frames(takes_it, row)
  local both = { first_image = FRAME, last_image = FRAME }
  assert.is_true(takes_it(both))
  assert.is_false(takes_it{ first_image = FRAME })
  assert.is_false(takes_it{ last_image = FRAME })
  for _, field in ipairs{ "referenceImages", "referenceVideos",
    "referenceAudios" } do
    both[field] = urls(1)
    assert.is_false(takes_it(both))
    both[field] = nil
  end
  assert.equal(row.aliases == true,
    takes_it{ image = FRAME, lastFrameImage = FRAME })
  assert.equal(row.aliases == true, takes_it{ first_image = FRAME,
    image = FRAME, last_image = FRAME })
  assert.is_false(takes_it{ first_image = FRAME, image = FRAME .. "?2",
    last_image = FRAME })
end

local function check_media(takes_it, row)
  if row.image_bytes then
    local bytes = "sandbox_bytes=%d"
    for _, limit in ipairs{ row.image_bytes, row.image_bytes + 1 } do
      local facts = bytes:format(limit)
      local wanted = limit == row.image_bytes
      assert.equal(wanted, takes_it{ referenceImages = urls(1, facts) })
      assert.is_true(takes_it{ first_image = FRAME .. "?" .. facts,
        last_image = FRAME })
    end
    assert.is_true(takes_it{ referenceVideos = urls(3, "sandbox_duration=5"
      .. "&sandbox_width=1280&sandbox_height=720") })
    assert.is_true(takes_it{ referenceVideos = urls(1,
      "sandbox_bytes=209715200&sandbox_width=3840&sandbox_height=2160") })
    for _, facts in ipairs{ "sandbox_duration=5.1",
      "sandbox_bytes=69905067", "sandbox_width=1280&sandbox_height=719",
      "sandbox_width=2161&sandbox_height=2161" } do
      assert.is_false(takes_it{ referenceVideos = urls(3, facts) })
    end
  end
  if row.audios then
    assert.is_true(takes_it{ referenceAudios = urls(1,
      "sandbox_duration=15") })
    assert.is_false(takes_it{ referenceAudios = urls(1,
      "sandbox_duration=15.1") })
  end
end

local CHECKS = {
  { "characters of a prompt", check_prompt },
  { "seconds", check_duration },
  { "ratio and resolution", check_choices },
  { "number of references", check_counts },
  { "frames", check_frames },
  { "size, length and pixels of media", check_media },
}

for _, row in ipairs(COLUMNS) do
  for _, model in ipairs(row.models) do
    for _, edition in ipairs(row.editions) do
      describe(("the sandbox holds %s of edition %s"):format(model, edition),
        function()
          for _, check in ipairs(CHECKS) do
            it("to its " .. check[1], function()
              check[2](function(more)
                return (takes(edition ~= "any" and edition or nil, model,
                  more))
              end, row)
            end)
          end
        end)
    end
  end
end

describe("the sandbox", function()
  it("takes four images beside a video where seven may come alone", function()
    assert.is_true(takes(nil, "starvideos_o3",
      { referenceImages = urls(4), referenceVideos = urls(1) }))
    assert.is_false(takes(nil, "starvideos_o3",
      { referenceImages = urls(5), referenceVideos = urls(1) }))
  end)

  it("ignores duration and ratio if a reference video sets them", function()
    assert.is_true(takes(nil, "starvideos_o3", { referenceVideos = urls(1),
      duration = 99, ratio = "2:1" }))
    assert.is_false(takes(nil, "videos", { referenceVideos = urls(1),
      duration = 99 }))
  end)

  it("wants that video to last three to ten seconds", function()
    for seconds, wanted in pairs{ ["2.9"] = false, ["3"] = true,
      ["10"] = true, ["10.1"] = false } do
      assert.equal(wanted, takes(nil, "starvideos_o3", { referenceVideos =
        urls(1, "sandbox_duration=" .. seconds) }))
    end
  end)

  it("takes an empty list as no field", function()
    assert.is_true(takes(nil, "videos", { referenceImages = {},
      first_image = FRAME, last_image = FRAME }))
  end)

  it("refuses fields that the model does not have", function()
    for _, field in ipairs{ "negative_prompt", "seed", "Prompt" } do
      local taken, why = takes(nil, "videos", { [field] = 1 })
      assert.is_false(taken)
      assert.truthy(why:find(field, 1, true))
    end
  end)

  it("serves each edition its own models alone", function()
    assert.is_false(takes("xingchao", "videos_stable"))
    assert.is_false(takes("mingyan", "videos_fast"))
    assert.is_false(takes(nil, "sora"))
    assert.has_error(function()
      sandbox.new{ edition = "other" }
    end, "unknown edition: other")
  end)

  it("refuses a model at the other endpoint", function()
    local provider = sandbox.new()
    assert.equal("failed", post(provider, "/v1/videos/videos",
      order "starvideos_o3").status)
    assert.equal("failed", post(provider, "/v1/starvideos/videos",
      order "videos").status)
    assert.equal(0, provider:tasks().billed)
  end)

  it("refuses a prompt that is blank, no text or no UTF-8", function()
    for _, prompt in ipairs{ "", " \t\n", 7, "a\255", "\237\160\128",
      "\192\175", "\244\144\128\128", "\228\184", "\128", "\224\128\128",
      "\240\128\128\128", "\245\128\128\128", "\228\184z" } do
      assert.is_false(takes(nil, "videos", { prompt = prompt }))
    end
  end)

  it("takes a new field of a known kind by its row alone", function()
    local row = limits.of().videos
    table.insert(limits.fields, { name = "seed", kind = "integer" })
    row.seed = { 0, 9 }
    local taken = { takes(nil, "videos", { seed = 9 }),
      takes(nil, "videos", { seed = 10 }), (takes(nil, "starvideos_o3", { seed = 9 })) }
    row.seed = nil
    table.remove(limits.fields)
    assert.same({ true, false, false }, taken)
  end)
end)
