local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local media = require "spec.fixtures.media"

local FILM, OTHER = media.FILM, media.OTHER
local write = files.write

describe("a download that continues", function()
  local world

  before_each(function()
    world = media.new()
  end)
  after_each(function()
    world:close()
  end)

  describe("what another process has left", function()
    it("is continued", function()
      world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
      world.answer = function(req)
        assert.equal("bytes=1000-", req.headers["Range"])
        return media.rest(1000)
      end
      assert.equal(1000, world:save().resumed_from)
      assert.equal(FILM, world:read())
    end)

    local VERSION = { task_id = "video_1", etag = '"v1"', total = #FILM }
    local SHA256 = curl.sha256(FILM:sub(1, 1000))

    local records = {
      ["has another digest"] = { bytes = 1000, from = 0,
        sha256 = curl.sha256 "x" },
      ["has a digest that nobody has told"] = { bytes = 1000, from = 0,
        sha256 = false },
      ["has no digest"] = { bytes = 1000, from = 0 },
      ["is shorter than its digest says"] = { bytes = 5000, from = 0,
        sha256 = curl.sha256(FILM:sub(1, 5000)) },
      ["has another digest in front"] = { bytes = 1000, from = 400,
        before = SHA256, sha256 = curl.sha256(FILM:sub(401, 1000)) },
      ["has another digest behind"] = { bytes = 1000, from = 400,
        before = curl.sha256(FILM:sub(1, 400)), sha256 = SHA256 },
      ["says nonsense"] = { bytes = -5, from = "x", sha256 = {} },
      ["says half a byte"] = { bytes = 0.5, from = 0, sha256 = SHA256 },
      ["is nothing"] = { bytes = 0, from = 0, sha256 = curl.sha256 "" },
    }
    for what, record in pairs(records) do
      it("is started over where it " .. what, function()
        world:left_over(FILM:sub(1, 1000), VERSION, record)
        assert(world:save())
        assert.is_nil(world.requests[1].headers["Range"])
        assert.equal(FILM, world:read())
      end)
    end

    it("counts as far as its digest goes, and the rest is cut off", function()
      world:left_over(FILM:sub(1, 1000) .. ("?"):rep(500), VERSION,
        { bytes = 1000, from = 0, sha256 = SHA256 })
      world.answer = media.in_turn(function(req)
        assert.equal("bytes=1000-", req.headers["Range"])
        local response = media.rest(1000)
        response.body = response.body:sub(1, 100)
        return response
      end, function(req)
        assert.equal("bytes=1100-", req.headers["Range"])
        return media.rest(1100)
      end)
      assert.equal(1100, world:save().resumed_from)
      assert.equal(FILM, world:read())
    end)

    it("is not the video where somebody has put it there", function()
      world:left_over(OTHER, { task_id = "video_1", etag = '"v2"',
        total = #OTHER }, { bytes = #OTHER, from = 0 })
      assert(world:save())
      assert.equal(1, #world.requests)
      assert.equal(FILM, world:read())
    end)

    it("is named by its date where its ETag is weak", function()
      world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = 'W/"v1"',
        last_modified = "Tue, 03 Jun 2008 11:05:30 GMT" })
      assert(world:save())
      assert.equal("Tue, 03 Jun 2008 11:05:30 GMT",
        world.requests[1].headers["If-Range"])
    end)

    it("is of no use where the server sends the whole file", function()
      world:left_over(OTHER:sub(1, 1000),
        { task_id = "video_1", etag = '"v2"' })
      local file = assert(world:save())
      assert.equal('"v2"', world.requests[1].headers["If-Range"])
      assert.is_nil(file.resumed_from)
      assert.equal(FILM, world:read())
    end)

    local foreign = {
      ["another task's"] = { FILM, { task_id = "video_2", etag = '"v1"' } },
      ["larger than the file"] = { FILM, { task_id = "video_1",
        etag = '"v1"', total = 1000 } },
      ["of no known version"] = { FILM, { task_id = "video_1" } },
      ["known by a weak ETag alone"] = { FILM, { task_id = "video_1",
        etag = 'W/"v1"' } },
      ["no video"] = { ("<html>"):rep(50), { task_id = "video_1",
        etag = '"v1"' } },
    }
    for what, case in pairs(foreign) do
      it("is started over where it is " .. what, function()
        world:left_over(case[1]:sub(1, 2000), case[2])
        assert(world:save())
        assert.is_nil(world.requests[1].headers["Range"])
        assert.equal(FILM, world:read())
      end)
    end

    it("is started over where its notes are damaged", function()
      for _, text in ipairs { "", "{", "[]", "null", "5", '{"task_id":5}' } do
        write(world.path .. ".part", FILM:sub(1, 1000))
        write(world.path .. ".part.json", text)
        world.requests = {}
        assert(world:save { overwrite = true })
        assert.is_nil(world.requests[1].headers["Range"])
      end
    end)

    it("is started over where the server cannot continue it", function()
      world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
      function world.answer(req)
        return req.headers["Range"] and { status = 416, headers = {} }
          or media.whole()
      end
      assert(world:save())
      assert.equal(FILM, world:read())
      assert.equal(0, #world.naps)
    end)

    local changes = {
      ["ETag"] = { etag = '"v2"' },
      ["date"] = { last_modified = "Thu, 05 Jun 2008 11:05:30 GMT" },
      ["length"] = { total = 7000 },
    }
    for what, change in pairs(changes) do
      it("is started over where the file has another " .. what, function()
        local known = { task_id = "video_1", etag = '"v1"', total = #FILM,
          last_modified = "Tue, 03 Jun 2008 11:05:30 GMT" }
        for name, value in pairs(change) do
          known[name] = value
        end
        world:left_over(OTHER:sub(1, 1000), known)
        function world.answer(req)
          if not req.headers["Range"] then
            return media.whole()
          end
          local response = media.rest(1000)
          response.headers["last-modified"] = "Tue, 03 Jun 2008 11:05:30 GMT"
          return response
        end
        local file = assert(world:save())
        assert.equal(2, #world.requests)
        assert.is_nil(file.resumed_from)
        assert.equal(FILM, world:read())
      end)
    end

    it("is started over where another part than asked for comes", function()
      world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
      function world.answer(req)
        return req.headers["Range"] and media.rest(2000) or media.whole()
      end
      assert(world:save())
      assert.equal(2, #world.requests)
      assert.equal(FILM, world:read())
    end)

    it("is started over where the transport says that it changed", function()
      world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
      function world.answer(req)
        if req.headers["Range"] then
          return nil, { reason = "changed", sent = true, phase = "body" }
        end
        return media.whole()
      end
      assert(world:save())
      assert.equal(FILM, world:read())
    end)
  end)

  it("ends where the file changes all the time", function()
    local version = 0
    function world.answer(req)
      version = version + 1
      local response = req.headers["Range"] and media.rest(1000) or media.cut()
      response.headers.etag = ('"%d"'):format(version)
      return response
    end
    world:fails("network", "incomplete")
    assert.is_true(#world.requests < 20)
  end)

  it("writes down which version is coming before the body has come", function()
    function world.answer(req)
      req.on_answer(200, media.whole().headers)
      assert.same({ task_id = "video_1", etag = '"v1"', total = #FILM },
        world:notes())
      req.on_answer(404, {})
      req.on_answer(200, { ["content-type"] = "text/html", etag = '"page"' })
      assert.equal('"v1"', world:notes().etag)
      return media.whole()
    end
    assert(world:save())
  end)

  it("forgets the version where the next has none to be known by", function()
    function world.answer(req)
      req.on_answer(200, { etag = '"v1"' })
      assert.equal('"v1"', world:notes().etag)
      req.on_answer(200, {})
      assert.same({ task_id = "video_1" }, world:notes())
      return media.whole()
    end
    assert(world:save())
  end)

  it("takes room for its notes before the disk can be full", function()
    local size
    function world.answer()
      size = #world:read ".part.json"
      return media.whole()
    end
    assert(world:save())
    assert.is_true(size >= 512)
  end)

  it("keeps its notes whole when new ones are shorter", function()
    world:left_over(FILM:sub(1, 1000), { task_id = "video_1",
      etag = '"' .. ("v"):rep(1000) .. '"' })
    function world.answer(req)
      req.on_answer(200, media.whole().headers)
      assert.equal('"v1"', world:notes().etag)
      return media.whole()
    end
    assert(world:save())
  end)
end)
