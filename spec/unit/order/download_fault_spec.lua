local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"
local media = require "spec.fixtures.media"
local download = require "starvideos.order.download"

local FILM, FILM_SHA256, LINK = media.FILM, media.FILM_SHA256, media.LINK
local write = files.write

describe("a download that fails", function()
  local world

  before_each(function()
    world = media.new()
  end)
  after_each(function()
    world:close()
  end)

  describe("a fault that passes", function()
    it("is retried, and the rest is asked for", function()
      world.answer = media.in_turn(media.cut, media.lost, function(req)
        assert.equal("bytes=1000-", req.headers["Range"])
        assert.equal('"v1"', req.headers["If-Range"])
        assert.same({ path = world.path .. ".part", offset = 1000, sync = true,
          etag = '"v1"', total = #FILM, notes = world.path .. ".part.json",
          before = curl.sha256(FILM:sub(1, 1000)), max = 4294967296 }, req.sink)
        return media.rest(1000)
      end)
      local file = assert(world:save())
      assert.equal(1000, file.resumed_from)
      assert.equal(FILM_SHA256, file.sha256)
      assert.equal(FILM, world:read())
      assert.equal(3, #world.requests)
      assert.equal(2, #world.naps)
    end)

    it("makes each pause longer, up to a bound", function()
      world.answer = media.lost
      world:fails("network", "reset")
      assert.equal(download.policy.tries, #world.requests)
      assert.same({ 1.5, 2.5, 4.5, 8.5 }, world.naps)
    end)

    it("is counted from one again once more of the file has come", function()
      local list = {}
      for position = 1, 3 do
        list[#list + 1] = function(req)
          assert.equal(position > 1 and position * 1000 - 1000 or 0,
            req.sink.offset)
          local response = position > 1 and media.rest(req.sink.offset)
            or media.whole()
          response.body = response.body:sub(1, 1000)
          return response
        end
        for _ = 2, download.policy.tries - 1 do
          list[#list + 1] = media.lost
        end
      end
      list[#list + 1] = function() return media.rest(3000) end
      world.answer = media.in_turn((table.unpack or unpack)(list))
      assert(world:save())
      assert.equal(FILM, world:read())
    end)

    for _, status in ipairs { 408, 425, 429, 500, 502, 503 } do
      it("is HTTP " .. status, function()
        world.answer = media.in_turn(media.refusal(status), media.intact)
        assert(world:save())
        assert.equal(2, #world.requests)
      end)
    end

    it("may say when to come back", function()
      world.answer = media.in_turn(
        media.refusal(503, { ["retry-after"] = "20" }), media.intact)
      assert(world:save())
      assert.is_true(world.now >= 20)
    end)

    it("that asks for more patience than there is ends the download", function()
      world.answer = media.refusal(429, { ["retry-after"] = "86400" })
      assert.equal(86400, world:fails("rate_limited", "429").retry_after)
      assert.equal(1, #world.requests)
    end)

    it("is retried when the download URL is asked for, too", function()
      world.link = media.in_turn(media.refusal(502), media.completed(LINK))
      assert(world.client:download("video_1", world.path))
      assert.equal(2, world.queries)
    end)

    it("leaves what came, and the error says how to continue", function()
      world.answer = media.in_turn(media.cut, media.lost)
      local err = world:fails("network", "the video stays bought, and 1000"
        .. " bytes of it are kept in " .. world.path .. ".part: download it again to"
        .. " continue")
      assert.equal(world.path .. ".part", err.part)
      assert.equal(1000, err.bytes)
      assert.equal(FILM:sub(1, 1000), world:read ".part")
      assert.is_nil(world:read())
    end)

    it("leaves nothing that no later download could continue", function()
      function world.answer()
        write(world.path .. ".part", FILM:sub(1, 3000))
        return media.lost()
      end
      local err = world:fails("network", "reset")
      assert.is_nil(err.part)
      assert.is_nil(err.message:find("kept", 1, true))
      assert.is_nil(world:read ".part")
      assert.is_nil(world:read ".part.json")
    end)

    it("leaves nothing where nothing came", function()
      world.answer = media.lost
      local err = world:fails("network",
        "reset; the video stays bought: download it again")
      assert.is_nil(err.part)
      assert.is_nil(world:read ".part")
      assert.is_nil(world:read ".part.json")
    end)
  end)

  describe("the time allowed", function()
    it("is shared by all attempts", function()
      world.answer = media.lost
      world:fails("timeout", "was not downloaded within 10 s (connection reset",
        { timeout = 10 })
      assert.is_true(world.now <= 10)
      assert.equal(10, world.requests[1].timeout)
      assert.equal(8.5, world.requests[2].timeout)
    end)

    it("is up when an attempt has taken the rest of it", function()
      function world.answer(req)
        world.now = world.now + req.timeout
        return nil, { reason = "timeout", message = "too slow", sent = true }
      end
      world:fails("timeout", "was not downloaded within 10 s (too slow)",
        { timeout = 10 })
      assert.equal(1, #world.requests)
    end)

    it("is not waited out where the host wants to be left alone", function()
      world.answer = media.refusal(429, { ["retry-after"] = "60" })
      world:fails("rate_limited", "429", { timeout = 10 })
      assert.equal(0, world.now)
    end)
  end)

  it("stops where the pause is cancelled", function()
    world.client = world:new { sleep = function() return nil, "cancelled" end }
    world.answer = media.in_turn(media.cut, media.lost)
    local err = world:fails("cancelled", "1000 bytes of it are kept")
    assert.is_nil(err.interrupted)
    assert.equal(1, #world.requests)
  end)

  it("says once that it was stopped, and why where that is known", function()
    for cause, told in pairs { cancelled = "", ["the worker is exiting"] =
      " (the worker is exiting)" } do
      function world.answer()
        return nil, { reason = "cancelled", message = cause, sent = true }
      end
      local err = world:fails("cancelled", "was stopped" .. told)
      assert.equal("cancelled: the download of the video of task video_1 was"
        .. " stopped" .. told .. "; the video stays bought: download it again",
        tostring(err))
    end
  end)

  describe("a download URL that has expired", function()
    for _, status in ipairs { 403, 404, 410 } do
      it("with HTTP " .. status .. " is renewed once", function()
        world.link = media.completed(LINK .. "&new=1")
        world.answer = media.in_turn(media.refusal(status), media.intact)
        assert(world:save())
        assert.equal(1, world.queries)
        assert.equal(LINK .. "&new=1", world.requests[2].url)
        assert.equal(0, #world.naps)
      end)

      it("with HTTP " .. status .. " is an error where the new one has too",
        function()
          world.answer = media.refusal(status)
          local err = world:fails("expired",
            "query the task later for a new URL")
          assert.equal(status, err.status)
          assert.equal(2, #world.requests)
          assert.equal(1, world.queries)
          assert.is_nil(world:read ".part")
        end)
    end

    for said, words in pairs { ["Request has expired"] = "has expired",
      ["<p>Who are you?"] = "was refused by the media host",
      [""] = "was refused by the media host (HTTP 403: nothing)" } do
      it("is not called so unless the host does: " .. said, function()
        function world.answer()
          return { status = 403, headers = {}, body = said }
        end
        world:fails("expired", "the download URL of task video_1 " .. words)
      end)
    end

    it("is not what a proxy refuses", function()
      world.answer = media.refusal(407)
      world:fails("config", "a proxy refused the download (HTTP 407)")
      assert.equal(0, world.queries)
    end)

    it("does not cost what has come already", function()
      world.answer = media.in_turn(media.cut, media.refusal(403), function(req)
        assert.equal("bytes=1000-", req.headers["Range"])
        return media.rest(1000)
      end)
      assert(world:save())
      assert.equal(FILM, world:read())
    end)

    it("and a task that is not found says so", function()
      world.answer, world.link = media.refusal(404), media.refusal(404)
      world:fails("not_found", "no task with this id")
    end)

    it("and a task that has no URL any more says so", function()
      world.answer, world.link = media.refusal(404), function()
        return { status = 200, headers = {},
          body = '{"id":"video_1","status":"failed","error":"too dark"}' }
      end
      world:fails("task_failed", "too dark")
    end)
  end)

  it("says that the disk is full, what is kept and how to go on", function()
    function world.answer(req)
      req.on_answer(200, media.whole().headers)
      world:left_over(FILM:sub(1, 3000), (world:notes()))
      return nil, { reason = "io", errno = 28, sent = true, phase = "body",
        message = "cannot write the file: No space left on device" }
    end
    local err = world:fails("io", "No space left on device; the video stays"
      .. " bought, and 3000 bytes of it are kept in " .. world.path
      .. ".part: free some space")
    assert.equal(3000, err.bytes)
    assert.equal(1, #world.requests)
  end)

  it("does not call the disk full where that is not at fault", function()
    local failures = {
      { reason = "busy", phase = "body", message = "another is writing it" },
      { reason = "io", phase = "body", errno = 24,
        message = "Too many open files" },
      { reason = "io", phase = "body", errno = 13,
        message = "Permission denied" },
      { reason = "io", phase = "body", errno = 30,
        message = "Read-only file system" },
    }
    for _, failure in ipairs(failures) do
      write(world.path .. ".part", "")
      failure.sent = true
      function world.answer() return nil, failure end
      local err = world:fails("io", failure.message)
      assert.is_nil(err.message:find("space", 1, true), err.message)
    end
  end)

  it("waits for another download, and frees no space for it", function()
    local lock
    function world.answer()
      lock = assert(require("starvideos.curl").disk("lock",
        world.path .. ".part"))
      write(world.path .. ".part", FILM)
      return media.whole()
    end
    local err = world:fails("io", "another download is writing")
    require("starvideos.curl").disk("unlock", lock)
    assert.is_nil(err.message:find("space", 1, true), err.message)
    assert.is_nil(err.message:find("again", 1, true), err.message)
  end)

  it("tells of nothing kept where another process is writing it", function()
    write(world.path .. ".part", FILM:sub(1, 3000))
    function world.answer()
      return nil, { reason = "io", sent = false, phase = "queue",
        message = "another download is writing it" }
    end
    local err = world:fails("io", "another download is writing it")
    assert.is_nil(err.bytes)
    assert.is_nil(err.message:find("kept", 1, true))
    assert.equal(3000, #world:read ".part")
  end)
end)
