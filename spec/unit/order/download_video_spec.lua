local clip = require "spec.fixtures.clip"
local download = require "starvideos.order.download"
local files = require "spec.fixtures.files"
local media = require "spec.fixtures.media"

local FILM = media.FILM

describe("a download", function()
  local world

  before_each(function()
    world = media.new()
    world.path = world.path .. ".mp4"
  end)
  after_each(function()
    world:close()
  end)

  local function answer(body, headers, status)
    return { status = status or 200, body = body, headers = headers or {} }
  end

  -- Serves the film as far as a cut connection or copy brings it.
  local function cut_at(size, headers)
    return function()
      return answer(FILM:sub(1, size), headers)
    end
  end

  describe("that is cut", function()
    -- What a host says of it: nothing, its version, or the length of its own copy.
    local cuts = {
      ["without an announced length"] = {},
      ["of a version without a length"] = { etag = '"v1"' },
      ["of a type of its own"] = { ["content-type"] = "text/plain" },
    }
    for name, headers in pairs(cuts) do
      it(name .. " is fetched again", function()
        world.answer = media.in_turn(cut_at(1000, headers), media.intact)
        local file = assert(world:save())
        assert.equal(2, #world.requests)
        assert.equal(FILM, world:read())
        assert.equal("mp4", file.container)
        world:is_clean()
      end)
    end

    it("goes on behind what has come where the version is known", function()
      world.answer = media.in_turn(cut_at(1000, { etag = '"v1"' }),
        function(req)
          assert.equal("bytes=1000-", req.headers["Range"])
          return media.rest(1000)
        end)
      assert(world:save())
      assert.equal(FILM, world:read())
    end)

    it("begins again where no version is known", function()
      world.answer = media.in_turn(cut_at(1000), function(req)
        assert.is_nil(req.headers["Range"])
        return media.whole()
      end)
      assert(world:save())
    end)

    it("begins again where the host's own copy is cut", function()
      world.answer = media.in_turn(cut_at(1000, { etag = '"v1"',
        ["content-length"] = "1000" }), function(req)
          assert.is_nil(req.headers["Range"])
          return media.whole()
        end)
      assert(world:save())
      assert.equal(FILM, world:read())
    end)

    it("begins again where the host has nothing behind it", function()
      world.answer = media.in_turn(cut_at(1000, { etag = '"v1"' }),
        media.refusal(416), function(req)
          assert.is_nil(req.headers["Range"])
          return media.whole()
        end)
      assert(world:save())
    end)

    it("within its description, too, and a MOV", function()
      local mov = clip.box("moov", "m") .. clip.box("mdat", ("x"):rep(100))
      for _, text in ipairs { FILM:sub(1, 20), mov:sub(1, 60), mov:sub(1, 9) } do
        world.answer = function()
          return answer(text)
        end
        world:fails("network", "is cut short")
      end
    end)

    for name, headers in pairs { ["without a length"] = {},
      ["of a known length"] = { ["content-length"] = "1000", etag = '"v1"' } } do
      it(name .. " each time is kept, and not saved", function()
        world.answer = cut_at(1000, headers)
        local err = world:fails("network", "the video stays bought, and 1000"
          .. " bytes of it are kept in " .. world.path .. ".part: download it"
          .. " again")
        assert.equal("cut", err.reason)
        assert.is_true(err.retryable)
        assert.equal(world.path .. ".part", err.part)
        assert.equal(1000, err.bytes)
        assert.equal(download.policy.copies, #world.requests)
        assert.equal(FILM:sub(1, 1000), world:read ".part")
        assert.is_nil(world:read())
        for _, nap in ipairs(world.naps) do
          assert.is_true(nap >= 1)
        end
        world.answer = media.intact
        assert(world:save())
        assert.equal(FILM, world:read())
        world:is_clean()
      end)
    end

    it("replaces nothing", function()
      files.write(world.path, "mine")
      world.answer = cut_at(1000)
      world:fails("network", "cut short", { overwrite = true })
      assert.equal("mine", world:read())
    end)

    it("is refused though anything is accepted", function()
      world.answer = cut_at(1000)
      world:fails("network", "cut short", { accept = "any" })
    end)

    it("is found in what an earlier process has left", function()
      world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"',
        total = 1000 })
      assert(world:save())
      assert.equal(1, #world.requests)
      assert.is_nil(world.requests[1].headers["Range"])
      assert.equal(FILM, world:read())
    end)
  end)

  describe("of a video", function()
    for _, kind in ipairs { "text/plain", "text/html", "application/json",
      "application/octet-stream", "image/png", "" } do
      it(("called %q is saved"):format(kind), function()
        function world.answer()
          return answer(FILM, { ["content-type"] = kind })
        end
        assert.equal("mp4", assert(world:save()).container)
      end)
    end

    it("that a proxy may have changed is saved", function()
      function world.answer()
        return answer(FILM, nil, 203)
      end
      assert(world:save())
    end)

    local others = {
      mov = clip.box("moov") .. clip.box("mdat"),
      webm = "\26\69\223\163\66\130\132webm",
      matroska = "\26\69\223\163\66\130\136matroska",
      mpegts = ("G" .. ("t"):rep(187)):rep(3),
      avi = "RIFF\0\0\0\0AVI LIST",
    }
    for container, text in pairs(others) do
      it("in a " .. container .. " is saved, and the name is warned of",
        function()
          function world.answer()
            return answer(text)
          end
          local file = assert(world:save())
          assert.equal(container, file.container)
          assert.equal(text, world:read())
          assert.equal(1, #file.warnings)
          assert.equal("container", file.warnings[1].code)
          assert.truthy(file.warnings[1].message:find(container, 1, true))
        end)
    end

    it("of which the name says nothing else is saved without a word", function()
      for ending, text in pairs { [".mov"] = others.mov, [".WEBM"] = others.webm,
        [".mkv"] = others.matroska, [".m2ts"] = others.mpegts, [".m4v"] = FILM,
        [".mp4"] = FILM, [".video"] = others.avi, [".bin"] = others.webm } do
        local path = world.path .. ending
        function world.answer()
          return answer(text)
        end
        local file = assert(world.client:download(world.task, path))
        os.remove(path)
        assert.is_nil(file.warnings)
      end
    end)

    it("with further bytes behind it is saved, and warned of", function()
      function world.answer()
        return answer(FILM .. "<!-- served -->")
      end
      local file = assert(world:save())
      assert.equal("trailing_bytes", file.warnings[1].code)
      assert.equal(#FILM + 15, file.bytes)
    end)
  end)

  describe("of something else", function()
    local pages = {
      html = "<!DOCTYPE html><p>Sign in",
      json = '{"code":"AccessDenied"}',
      xml = '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
      image = "\255\216\255\224\0\16JFIF",
    }
    for name, text in pairs(pages) do
      it("is refused where " .. name .. " is called a video", function()
        function world.answer()
          return answer(text, { ["content-type"] = "video/mp4",
            ["content-length"] = tostring(#text) })
        end
        local err = world:fails("protocol", "no video (video/mp4)")
        assert.truthy(err.message:find("the video stays bought", 1, true))
        assert.truthy(err.message:find("--accept any", 1, true))
        assert.equal(1, #world.requests)
        assert.is_nil(world:read())
        world:is_clean()
      end)

      it("is saved where anything is accepted: " .. name, function()
        function world.answer()
          return answer(text, { ["content-type"] = "text/html" })
        end
        local file = assert(world:save { accept = "any" })
        assert.equal(text, world:read())
        assert.is_nil(file.container)
        assert.equal("container", file.warnings[1].code)
      end)
    end

    it("goes on where anything is accepted, as a video does", function()
      local text = ("<p>"):rep(2000)
      world.answer = media.in_turn(function()
        return answer(text:sub(1, 900), { etag = '"v1"',
          ["content-length"] = "6000" })
      end, function(req)
        assert.equal("bytes=900-", req.headers["Range"])
        return answer(text:sub(901), { etag = '"v1"',
          ["content-range"] = "bytes 900-5999/6000" }, 206)
      end)
      assert(world:save { accept = "any" })
      assert.equal(text, world:read())
    end)

    it("names how it is packed", function()
      function world.answer(req)
        assert.equal("identity", req.headers["Accept-Encoding"])
        return answer("\31\139\8", { ["content-type"] = "video/mp4",
          ["content-encoding"] = "gzip" })
      end
      world:fails("protocol", "(video/mp4, encoded as gzip)")
    end)

    it("takes the place of nothing that came of the video", function()
      for _, page in ipairs { pages.html, "", ("<p>"):rep(1000) } do
        world:left_over(FILM:sub(1, 1000), { task_id = "video_1",
          etag = '"v1"' })
        world.answer = media.in_turn(function()
          return answer(page, { ["content-type"] = "text/html" })
        end, media.lost)
        assert.is_nil(world:save())
        assert.equal(FILM:sub(1, 1000), world:read ".part")
        assert.equal('"v1"', world:notes().etag)
      end
    end)
  end)

  describe("that continues", function()
    local odd = {
      ["a part that does not say which"] = answer(FILM:sub(1001), nil, 206),
      ["a whole that is called a part"] = answer(FILM, nil, 206),
      ["another part"] = answer(FILM:sub(501), { ["content-range"] =
        "bytes 500-5011/5012" }, 206),
      ["the beginning again"] = answer(FILM, { ["content-range"] =
        "bytes 0-5011/5012" }, 206),
      ["parts in a row"] = answer("--b\r\n\r\n" .. FILM:sub(1001), {
        ["content-type"] = "multipart/byteranges; boundary=b" }, 206),
      ["a part in lines"] = answer(FILM:sub(1001), { ["content-range"] =
        "lines 1000-5011/5012" }, 206),
    }
    for name, response in pairs(odd) do
      it("begins again where the host sends " .. name, function()
        world:left_over(FILM:sub(1, 1000), { task_id = "video_1",
          etag = '"v1"' })
        function world.answer(req)
          return req.headers["Range"] and response or media.whole()
        end
        local file = assert(world:save())
        assert.equal(FILM, world:read())
        assert.is_nil(file.resumed_from)
        assert.is_true(#world.requests <= 2)
      end)
    end

    it("takes a whole that nobody has called a part before", function()
      for _, headers in ipairs { {}, { ["content-range"] =
        "bytes 0-5011/5012" }, { ["content-length"] = "5012" } } do
        function world.answer()
          return answer(FILM, headers, 206)
        end
        assert(world:save { overwrite = true })
        assert.equal(FILM, world:read())
      end
    end)

    it("refuses a part that nobody has asked for", function()
      function world.answer()
        return answer(FILM:sub(1001), { ["content-range"] =
          "bytes 1000-5011/5012" }, 206)
      end
      assert.is_nil(world:save())
      assert.is_nil(world:read())
    end)
  end)

  describe("by a link that cannot be followed", function()
    local function unusable(link, message)
      world.task.video_url = link
      function world.answer()
        return nil, { reason = "invalid", sent = false, phase = "queue",
          message = message }
      end
    end

    for name, link in pairs { relative = "/files/film.mp4?sig=secret",
      ["with a blank"] = "https://media.example/a film.mp4?sig=secret",
      ["with a user"] = "https://me:secret@media.example/film.mp4",
      ["without a host"] = "https://?sig=secret" } do
      it(name .. " blames the answer, and says how to go on", function()
        unusable(link, "the URL cannot be read")
        local err = world:fails("protocol", "the download URL of task video_1"
          .. " cannot be used: the URL cannot be read (")
        assert.truthy(err.message:find(
          "the video stays bought: query the task later", 1, true))
        assert.is_nil(err.message:find("secret", 1, true))
        assert.equal(1, #world.requests)
        assert.is_nil(world:read ".part")
      end)
    end

    it("leaves what came before", function()
      world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
      unusable("/film.mp4", "no host")
      world:fails("protocol", "cannot be used")
      assert.equal(FILM:sub(1, 1000), world:read ".part")
    end)
  end)
end)
