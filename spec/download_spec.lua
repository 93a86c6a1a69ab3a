local errors = require "starvideos.errors"
local files = require "spec.fixtures.files"
local json = require "starvideos.json"
local retry = require "starvideos.retry"
local starvideos = require "starvideos"

local FILM = "\0\0\0\24ftypmp42" .. ("x"):rep(5000)
local OTHER = "\0\0\0\24ftypisom" .. ("y"):rep(6000)
-- As sha256sum prints it.
local FILM_SHA256 =
  "5ec5194e39d364416ab9dcb35573acb62948c50d8556a2dddd42916a25025d9d"
local LINK = "https://media.example/film.mp4?signature=secret%2Fsign&t=17"

local read, write = files.read, files.write

describe("download", function()
  local path, requests, queries, answer, link, task, now, naps, client

  -- The API on one side, the media host on the other.
  local function transport(req)
    if req.url:find("/v1/result/", 1, true) then
      queries = queries + 1
      return link(req)
    end
    requests[#requests + 1] = req
    return answer(req)
  end

  local function new(fields)
    local options = {
      api_key = "test-key",
      transport = transport,
      clock = function() return now end,
      sleep = function(seconds)
        now, naps[#naps + 1] = now + seconds, seconds
      end,
      random = function() return 0.5 end,
    }
    for name, value in pairs(fields or {}) do
      options[name] = value
    end
    return assert(starvideos.new(options))
  end

  local function whole(film)
    film = film or FILM
    return { status = 200, body = film, headers = {
      ["content-type"] = "video/mp4", ["content-length"] = tostring(#film),
      etag = film == FILM and '"v1"' or '"v2"' } }
  end

  local function intact()
    return whole()
  end

  local function cut()
    local response = whole()
    response.body = FILM:sub(1, 1000)
    return response
  end

  local function rest(from)
    return { status = 206, body = FILM:sub(from + 1), headers = {
      ["content-type"] = "video/mp4", etag = '"v1"',
      ["content-range"] = ("bytes %d-%d/%d"):format(from, #FILM - 1, #FILM) } }
  end

  local function completed(url)
    return function()
      return { status = 200, headers = {}, body = json.encode { id = "video_1",
        status = "completed", video_url = url } }
    end
  end

  -- Answers in turn, the last of them again and again.
  local function in_turn(...)
    local list, position = { ... }, 0
    return function(req)
      position = math.min(position + 1, #list)
      return list[position](req)
    end
  end

  local function lost()
    return nil, { reason = "reset", message = "connection reset", sent = true,
      phase = "body" }
  end

  local function refusal(status, headers)
    return function()
      return { status = status, headers = headers or {}, body = "no" }
    end
  end

  local function left_over(text, notes)
    write(path .. ".part", text)
    write(path .. ".part.json", json.encode(notes))
  end

  local function notes()
    return json.decode(read(path .. ".part.json") or "null")
  end

  local function fails(kind, message, options)
    local file, err = client:download(task, path, options)
    assert.is_nil(file)
    assert.equal(kind, err.kind)
    assert.equal("video_1", err.task_id)
    assert.truthy(err.message:find(message, 1, true), err.message)
    return err
  end

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    requests, queries, now, naps = {}, 0, 0, {}
    answer, link = intact, completed(LINK)
    task = { id = "video_1", status = "completed", video_url = LINK }
    client = new()
  end)

  after_each(function()
    for _, ending in ipairs { "", ".part", ".part.json" } do
      os.remove(path .. ending)
    end
  end)

  it("saves the whole file and leaves nothing beside it", function()
    local file = assert(client:download(task, path))
    assert.same({ path = path, bytes = #FILM, sha256 = FILM_SHA256 }, file)
    assert.equal(FILM, read(path))
    assert.is_nil(read(path .. ".part"))
    assert.is_nil(read(path .. ".part.json"))
    assert.is_nil(read(path .. ".part.test"))
  end)

  it("takes the digest that the transport has made", function()
    function answer()
      local response = whole()
      response.sha256 = ("ab"):rep(32)
      return response
    end
    assert.equal(("ab"):rep(32), client:download(task, path).sha256)
  end)

  it("sends no key to the media host", function()
    assert(client:download(task, path))
    assert.equal(1, #requests)
    for name, value in pairs(requests[1].headers) do
      assert.is_nil((name .. value):lower():find("authorization", 1, true))
      assert.is_nil(value:find("test-key", 1, true))
    end
  end)

  it("asks for the link where only the id is known", function()
    assert(client:download("video_1", path))
    assert.equal(1, queries)
    assert.equal(LINK, requests[1].url)
  end)

  it("counts a connection without a byte for 30 seconds as dead", function()
    assert(client:download(task, path))
    assert.equal(30, requests[1].stall_seconds)
    os.remove(path)
    assert(client:download(task, path, { stall_timeout = 5 }))
    assert.equal(5, requests[2].stall_seconds)
    assert.equal(1, requests[2].stall_bytes)
  end)

  describe("the target", function()
    it("is refused where it exists, and left as it is", function()
      write(path, "mine")
      local _, err = client:download(task, path)
      assert.equal("io", err.kind)
      assert.equal(0, #requests)
      assert.equal("mine", read(path))
    end)

    it("is overwritten when told so", function()
      write(path, "mine")
      assert(client:download(task, path, { overwrite = true }))
      assert.equal(FILM, read(path))
    end)

    it("is kept when the new file does not arrive", function()
      write(path, "mine")
      answer = lost
      fails("network", "reset", { overwrite = true })
      assert.equal("mine", read(path))
    end)

    it("is never overwritten when it comes up meanwhile", function()
      function answer()
        write(path, "theirs")
        return whole()
      end
      local err = fails("io", "came up meanwhile")
      assert.equal("theirs", read(path))
      assert.equal(path .. ".part", err.part)
      assert.equal(#FILM, err.bytes)
      assert.equal(FILM, read(path .. ".part"))
    end)

    it("takes what is whole already without a request", function()
      function answer()
        write(path, "theirs")
        return whole()
      end
      fails("io", "came up meanwhile")
      local file = assert(client:download(task, path, { overwrite = true }))
      assert.equal(1, #requests)
      assert.equal(FILM, read(path))
      assert.equal(FILM_SHA256, file.sha256)
      assert.equal(#FILM, file.resumed_from)
    end)

    it("may be no directory, nor lie in one that is not there", function()
      local _, err = client:download(task, "/tmp", { overwrite = true })
      assert.equal("io", err.kind)
      _, err = client:download(task, "/nowhere/at/all.mp4")
      assert.equal("io", err.kind)
      assert.equal(0, #requests)
    end)
  end)

  describe("a fault that passes", function()
    it("is sat out, and the rest is asked for", function()
      answer = in_turn(cut, lost, function(req)
        assert.equal("bytes=1000-", req.headers["Range"])
        assert.equal('"v1"', req.headers["If-Range"])
        assert.same({ path = path .. ".part", offset = 1000, sync = true,
          etag = '"v1"', total = #FILM }, req.sink)
        return rest(1000)
      end)
      local file = assert(client:download(task, path))
      assert.equal(1000, file.resumed_from)
      assert.equal(FILM_SHA256, file.sha256)
      assert.equal(FILM, read(path))
      assert.equal(3, #requests)
      assert.equal(2, #naps)
    end)

    it("makes each pause longer, up to a bound", function()
      answer = lost
      fails("network", "reset")
      assert.equal(retry.policy.download_tries, #requests)
      assert.same({ 1.5, 2.5, 4.5, 8.5 }, naps)
    end)

    it("counts anew once more of the file has come", function()
      local list = {}
      for position = 1, 3 do
        list[#list + 1] = function(req)
          assert.equal(position > 1 and position * 1000 - 1000 or 0,
            req.sink.offset)
          local response = position > 1 and rest(req.sink.offset) or whole()
          response.body = response.body:sub(1, 1000)
          return response
        end
        for _ = 2, retry.policy.download_tries - 1 do
          list[#list + 1] = lost
        end
      end
      list[#list + 1] = function() return rest(3000) end
      answer = in_turn((table.unpack or unpack)(list))
      assert(client:download(task, path))
      assert.equal(FILM, read(path))
    end)

    for _, status in ipairs { 408, 425, 429, 500, 502, 503 } do
      it("is HTTP " .. status, function()
        answer = in_turn(refusal(status), intact)
        assert(client:download(task, path))
        assert.equal(2, #requests)
      end)
    end

    it("may say when to come back", function()
      answer = in_turn(refusal(503, { ["retry-after"] = "20" }), intact)
      assert(client:download(task, path))
      assert.is_true(now >= 20)
    end)

    it("that asks for more patience than there is ends the download", function()
      answer = refusal(429, { ["retry-after"] = "86400" })
      assert.equal(86400, fails("rate_limited", "429").retry_after)
      assert.equal(1, #requests)
    end)

    it("is sat out when the link is asked for, too", function()
      link = in_turn(refusal(502), completed(LINK))
      assert(client:download("video_1", path))
      assert.equal(2, queries)
    end)

    it("leaves what came, and the error says how to go on", function()
      answer = in_turn(cut, lost)
      local err = fails("network", "1000 bytes are kept in " .. path
        .. ".part: try again to go on")
      assert.equal(path .. ".part", err.part)
      assert.equal(1000, err.bytes)
      assert.equal(FILM:sub(1, 1000), read(path .. ".part"))
      assert.is_nil(read(path))
    end)

    it("leaves nothing that no later download could go on with", function()
      function answer()
        write(path .. ".part", FILM:sub(1, 3000))
        return lost()
      end
      local err = fails("network", "reset")
      assert.is_nil(err.part)
      assert.is_nil(err.message:find("kept", 1, true))
      assert.is_nil(read(path .. ".part"))
      assert.is_nil(read(path .. ".part.json"))
    end)

    it("leaves nothing where nothing came", function()
      answer = lost
      local err = fails("network", "reset")
      assert.is_nil(err.part)
      assert.is_nil(read(path .. ".part"))
      assert.is_nil(read(path .. ".part.json"))
    end)
  end)

  describe("the time allowed", function()
    it("is shared by all attempts", function()
      answer = lost
      fails("timeout", "did not come within 10 s (connection reset",
        { timeout = 10 })
      assert.is_true(now <= 10)
      assert.equal(10, requests[1].timeout)
      assert.equal(8.5, requests[2].timeout)
    end)

    it("is up when an attempt has taken the rest of it", function()
      function answer(req)
        now = now + req.timeout
        return nil, { reason = "timeout", message = "too slow", sent = true }
      end
      fails("timeout", "did not come within 10 s (too slow)", { timeout = 10 })
      assert.equal(1, #requests)
    end)

    it("is not waited out where the host wants to be left alone", function()
      answer = refusal(429, { ["retry-after"] = "60" })
      fails("rate_limited", "429", { timeout = 10 })
      assert.equal(0, now)
    end)
  end)

  it("stops where the pause is cancelled", function()
    client = new { sleep = function() return nil, "cancelled" end }
    answer = in_turn(cut, lost)
    local err = fails("cancelled", "1000 bytes are kept")
    assert.is_nil(err.interrupted)
    assert.equal(1, #requests)
  end)

  describe("what another process has left", function()
    it("is continued", function()
      left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
      answer = function(req)
        assert.equal("bytes=1000-", req.headers["Range"])
        return rest(1000)
      end
      assert.equal(1000, client:download(task, path).resumed_from)
      assert.equal(FILM, read(path))
    end)

    it("is named by its date where its ETag is weak", function()
      left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = 'W/"v1"',
        last_modified = "Tue, 03 Jun 2008 11:05:30 GMT" })
      assert(client:download(task, path))
      assert.equal("Tue, 03 Jun 2008 11:05:30 GMT",
        requests[1].headers["If-Range"])
    end)

    it("is of no use where the server sends the whole file", function()
      left_over(OTHER:sub(1, 1000), { task_id = "video_1", etag = '"v2"' })
      local file = assert(client:download(task, path))
      assert.equal('"v2"', requests[1].headers["If-Range"])
      assert.is_nil(file.resumed_from)
      assert.equal(FILM, read(path))
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
      it("is begun anew where it is " .. what, function()
        left_over(case[1]:sub(1, 2000), case[2])
        assert(client:download(task, path))
        assert.is_nil(requests[1].headers["Range"])
        assert.equal(FILM, read(path))
      end)
    end

    it("is begun anew where its notes are damaged", function()
      for _, text in ipairs { "", "{", "[]", "null", "5", '{"task_id":5}' } do
        write(path .. ".part", FILM:sub(1, 1000))
        write(path .. ".part.json", text)
        requests = {}
        assert(client:download(task, path, { overwrite = true }))
        assert.is_nil(requests[1].headers["Range"])
      end
    end)

    it("is begun anew where the server cannot go on there", function()
      left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
      function answer(req)
        return req.headers["Range"] and { status = 416, headers = {} }
          or whole()
      end
      assert(client:download(task, path))
      assert.equal(FILM, read(path))
      assert.equal(0, #naps)
    end)

    local changes = {
      ["ETag"] = { etag = '"v2"' },
      ["date"] = { last_modified = "Thu, 05 Jun 2008 11:05:30 GMT" },
      ["length"] = { total = 7000 },
    }
    for what, change in pairs(changes) do
      it("is begun anew where the file has another " .. what, function()
        local known = { task_id = "video_1", etag = '"v1"', total = #FILM,
          last_modified = "Tue, 03 Jun 2008 11:05:30 GMT" }
        for name, value in pairs(change) do
          known[name] = value
        end
        left_over(OTHER:sub(1, 1000), known)
        function answer(req)
          if not req.headers["Range"] then
            return whole()
          end
          local response = rest(1000)
          response.headers["last-modified"] = "Tue, 03 Jun 2008 11:05:30 GMT"
          return response
        end
        local file = assert(client:download(task, path))
        assert.equal(2, #requests)
        assert.is_nil(file.resumed_from)
        assert.equal(FILM, read(path))
      end)
    end

    it("is begun anew where another part than asked for comes", function()
      left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
      function answer(req)
        return req.headers["Range"] and rest(2000) or whole()
      end
      assert(client:download(task, path))
      assert.equal(2, #requests)
      assert.equal(FILM, read(path))
    end)

    it("is begun anew where the transport says that it changed", function()
      left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
      function answer(req)
        if req.headers["Range"] then
          return nil, { reason = "changed", sent = true, phase = "body" }
        end
        return whole()
      end
      assert(client:download(task, path))
      assert.equal(FILM, read(path))
    end)
  end)

  it("ends where the file changes all the time", function()
    local version = 0
    function answer(req)
      version = version + 1
      local response = req.headers["Range"] and rest(1000) or cut()
      response.headers.etag = ('"%d"'):format(version)
      return response
    end
    fails("network", "incomplete")
    assert.is_true(#requests < 20)
  end)

  it("writes down which version is coming before the body has come", function()
    function answer(req)
      req.on_answer(200, whole().headers)
      assert.same({ task_id = "video_1", etag = '"v1"', total = #FILM },
        notes())
      req.on_answer(404, {})
      req.on_answer(200, { ["content-type"] = "text/html", etag = '"page"' })
      assert.equal('"v1"', notes().etag)
      return whole()
    end
    assert(client:download(task, path))
  end)

  it("forgets the version where the next has none to be known by", function()
    function answer(req)
      req.on_answer(200, { etag = '"v1"' })
      assert.equal('"v1"', notes().etag)
      req.on_answer(200, {})
      assert.same({ task_id = "video_1" }, notes())
      return whole()
    end
    assert(client:download(task, path))
  end)

  it("tells how far the whole file has come", function()
    local seen = {}
    left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
    function answer(req)
      req.on_answer(206, rest(1000).headers)
      req.on_progress(500, 4012)
      return rest(1000)
    end
    assert(client:download(task, path, { on_progress = function(...)
      seen = { ... }
    end }))
    assert.same({ 1500, 5012 }, seen)
    left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
    function answer(req)
      req.on_answer(200, whole().headers)
      req.on_progress(500, 5012)
      return whole()
    end
    assert(client:download(task, path, { overwrite = true,
      on_progress = function(...) seen = { ... } end }))
    assert.same({ 500, 5012 }, seen)
  end)

  describe("a dead link", function()
    for _, status in ipairs { 403, 404, 410 } do
      it("of HTTP " .. status .. " is asked for anew once", function()
        link = completed(LINK .. "&new=1")
        answer = in_turn(refusal(status), intact)
        assert(client:download(task, path))
        assert.equal(1, queries)
        assert.equal(LINK .. "&new=1", requests[2].url)
        assert.equal(0, #naps)
      end)

      it("of HTTP " .. status .. " is expired where the new one is dead too",
        function()
          answer = refusal(status)
          local err = fails("expired", "ask for a new one with query")
          assert.equal(status, err.status)
          assert.equal(2, #requests)
          assert.equal(1, queries)
          assert.is_nil(read(path .. ".part"))
        end)
    end

    it("does not cost what has come already", function()
      answer = in_turn(cut, refusal(403), function(req)
        assert.equal("bytes=1000-", req.headers["Range"])
        return rest(1000)
      end)
      assert(client:download(task, path))
      assert.equal(FILM, read(path))
    end)

    it("of a task that is gone says so", function()
      answer, link = refusal(404), refusal(404)
      fails("not_found", "no task with this id")
    end)

    it("of a task that has no link any more says so", function()
      answer, link = refusal(404), function()
        return { status = 200, headers = {},
          body = '{"id":"video_1","status":"failed","error":"too dark"}' }
      end
      fails("task_failed", "too dark")
    end)
  end)

  describe("what is no video", function()
    it("is not saved, and its first words are told", function()
      for _, kind in ipairs { "text/html; charset=utf-8",
        "application/json" } do
        function answer()
          return { status = 200, body = "<h1>Sign in</h1>\n", headers = {
            ["content-type"] = kind } }
        end
        local err = fails("protocol", "<h1>Sign in</h1>")
        assert.truthy(err.message:find(kind, 1, true))
        assert.is_nil(read(path))
        assert.is_nil(read(path .. ".part"))
        assert.is_nil(read(path .. ".part.json"))
      end
      assert.equal(2, #requests)
    end)

    it("is not saved though it is called a video", function()
      function answer()
        local response = whole()
        response.body = '{"code":"AccessDenied"}'
        response.headers["content-length"] = tostring(#response.body)
        return response
      end
      fails("protocol", '{"code":"AccessDenied"}')
      assert.is_nil(read(path))
      assert.is_nil(read(path .. ".part"))
      assert.is_nil(read(path .. ".part.json"))
    end)

    it("leaves what came of the video before", function()
      answer = in_turn(cut, function()
        return { status = 200, body = "<html>", headers = {
          ["content-type"] = "text/html" } }
      end)
      fails("protocol", "<html>")
      assert.equal(FILM:sub(1, 1000), read(path .. ".part"))
    end)

    it("is told in a few words, in which no signature stands", function()
      function answer()
        return { status = 200, headers = { ["content-type"] = "text/html" },
          body = "secret%2Fsign and secret/sign and t=17 " .. ("a"):rep(5000) }
      end
      local err = fails("protocol", "[redacted] and [redacted] and t=17")
      assert.is_true(#err.message < 400)
    end)
  end)

  it("does not show half a key where a page repeats it", function()
    for _, kind in ipairs { "text/html", "video/mp4" } do
      function answer()
        return { status = 200, headers = { ["content-type"] = kind },
          body = ("a"):rep(155) .. "test-key" }
      end
      local err = fails("protocol", "aaa")
      assert.is_nil(err.message:find("test", 1, true))
    end
  end)

  it("says that an empty video is not whole", function()
    function answer()
      return whole ""
    end
    fails("network", "incomplete: 0 of 0 bytes")
    assert.is_nil(read(path .. ".part"))
  end)

  it("never shows the signature of the link", function()
    function answer()
      return nil, { reason = "reset", message = "lost " .. LINK, sent = true }
    end
    local err = fails("network", "lost")
    for _, value in pairs(err) do
      assert.is_nil(tostring(value):find("secret", 1, true))
    end
  end)

  it("says that the disk is full, what is kept and how to go on", function()
    function answer(req)
      req.on_answer(200, whole().headers)
      write(path .. ".part", FILM:sub(1, 3000))
      return nil, { reason = "io", errno = 28, sent = true, phase = "body",
        message = "cannot write the file: No space left on device" }
    end
    local err = fails("io", "No space left on device; 3000 bytes are kept in "
      .. path .. ".part: make room")
    assert.equal(3000, err.bytes)
    assert.equal(1, #requests)
  end)

  it("takes room for its notes before the disk can be full", function()
    local size
    function answer()
      size = #read(path .. ".part.json")
      return whole()
    end
    assert(client:download(task, path))
    assert.is_true(size >= 512)
  end)

  it("keeps its notes whole when new ones are shorter", function()
    left_over(FILM:sub(1, 1000), { task_id = "video_1",
      etag = '"' .. ("v"):rep(1000) .. '"' })
    function answer(req)
      req.on_answer(200, whole().headers)
      assert.equal('"v1"', notes().etag)
      return whole()
    end
    assert(client:download(task, path))
  end)

  it("speaks of nothing kept where another process is at it", function()
    write(path .. ".part", FILM:sub(1, 3000))
    function answer()
      return nil, { reason = "io", sent = false, phase = "queue",
        message = "another download is writing it" }
    end
    local err = fails("io", "another download is writing it")
    assert.is_nil(err.bytes)
    assert.is_nil(err.message:find("kept", 1, true))
    assert.equal(3000, #read(path .. ".part"))
  end)

  it("says that a task is not ready", function()
    function link()
      return { status = 200, headers = {},
        body = '{"id":"video_1","status":"processing"}' }
    end
    local _, err = client:download("video_1", path)
    assert.equal("timeout", err.kind)
    assert.equal("video_1", err.task_id)
    assert.equal("processing", err.task.status)
    assert.equal(1, queries)
  end)

  it("says that a task has failed", function()
    function link()
      return { status = 200, headers = {},
        body = '{"id":"video_1","status":"failed","error":"too dark"}' }
    end
    local _, err = client:download("video_1", path)
    assert.equal("task_failed", err.kind)
    assert.equal("too dark", err.message)
  end)

  it("raises where the path is no text", function()
    assert.has_error(function() client:download(task) end)
    assert.has_error(function() client:download(task, "") end)
  end)

  describe("with a ledger", function()
    local download = require "starvideos.download"
    local told

    local function save(ledger)
      function ledger.of_task() end
      function ledger.placing() return true end
      return download.save({
        runtime = { now = function() return 0 end,
          request = function(_, req) return transport(req) end },
        ledger = ledger,
      }, task, path, {})
    end

    before_each(function()
      told = nil
    end)

    it("notes what was saved", function()
      local file = assert(save { downloaded = function(_, id, given)
        told = { id, given }
        return true
      end })
      assert.equal("video_1", told[1])
      assert.equal(file, told[2])
      assert.equal(FILM_SHA256, told[2].sha256)
      assert.is_nil(file.ledger_error)
    end)

    it("keeps the file where the ledger fails", function()
      local why = errors.new { kind = "ledger", message = "disk full" }
      local file = assert(save { downloaded = function()
        return nil, why
      end })
      assert.equal(why, file.ledger_error)
      assert.equal(FILM, read(path))
    end)

    it("notes nothing that was not saved", function()
      answer = refusal(400)
      assert.is_nil((save { downloaded = function() told = true end }))
      assert.is_nil(told)
    end)
  end)

  describe("without libcurl", function()
    local loaded = package.loaded["starvideos.curl"]

    before_each(function()
      package.loaded["starvideos.curl"] = nil
      package.preload["starvideos.curl"] = function() error("no libcurl") end
    end)
    after_each(function()
      package.preload["starvideos.curl"] = nil
      package.loaded["starvideos.curl"] = loaded
    end)

    it("saves what the host's own transport brings", function()
      assert.same({ path = path, bytes = #FILM },
        client:download(task, path))
      assert.equal(FILM, read(path))
      assert.is_nil(read(path .. ".part.json"))
    end)

    it("overwrites nothing that it was not told to", function()
      function answer()
        write(path, "theirs")
        return whole()
      end
      fails("io", "came up meanwhile")
      assert.equal("theirs", read(path))
      assert(client:download(task, path, { overwrite = true }))
      assert.equal(FILM, read(path))
    end)

    it("leaves nothing that is of no use", function()
      answer = lost
      write(path .. ".part", "")
      fails("network", "reset")
      assert.is_nil(read(path .. ".part"))
    end)
  end)
end)
