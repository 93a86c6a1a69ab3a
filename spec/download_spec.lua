local starvideos = require "starvideos"

local FILM = ("\0\0\0\24ftypmp42" .. ("x"):rep(5000))
local LINK = "https://media.example/film.mp4?signature=secret"

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

describe("download", function()
  local path, requests, answer, task

  local function client()
    return assert(starvideos.new {
      api_key = "test-key",
      transport = function(req)
        requests[#requests + 1] = req
        return answer(req)
      end,
      clock = function() return 0 end,
      sleep = function() end,
    })
  end

  local function whole()
    return { status = 200, body = FILM, headers = {
      ["content-type"] = "video/mp4", ["content-length"] = tostring(#FILM),
      etag = '"v1"' } }
  end

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    requests, answer = {}, whole
    task = { id = "video_1", status = "completed", video_url = LINK }
  end)

  after_each(function()
    for _, ending in ipairs { "", ".part", ".part.json" } do
      os.remove(path .. ending)
    end
  end)

  it("saves the whole file and leaves nothing beside it", function()
    local file = assert(client():download(task, path))
    assert.same({ path = path, bytes = #FILM }, file)
    assert.equal(FILM, read(path))
    assert.is_nil(read(path .. ".part"))
    assert.is_nil(read(path .. ".part.json"))
  end)

  it("sends no key to the media host", function()
    assert(client():download(task, path))
    assert.equal(1, #requests)
    for name, value in pairs(requests[1].headers) do
      assert.is_nil((name .. value):lower():find("authorization", 1, true))
      assert.is_nil(value:find("test-key", 1, true))
    end
  end)

  it("asks for the link where only the id is known", function()
    function answer(req)
      if req.url:find("/v1/result/video_1", 1, true) then
        return { status = 200, headers = {}, body = '{"id":"video_1",'
          .. '"status":"completed","video_url":"' .. LINK .. '"}' }
      end
      return whole()
    end
    assert(client():download("video_1", path))
    assert.equal(2, #requests)
    assert.equal(LINK, requests[2].url)
  end)

  it("refuses a target that exists and leaves it as it is", function()
    write(path, "mine")
    local _, err = client():download(task, path)
    assert.equal("io", err.kind)
    assert.equal(0, #requests)
    assert.equal("mine", read(path))
  end)

  it("overwrites a target when told to", function()
    write(path, "mine")
    assert(client():download(task, path, { overwrite = true }))
    assert.equal(FILM, read(path))
  end)

  it("keeps the old file when the new one does not arrive", function()
    write(path, "mine")
    function answer() return nil, { reason = "reset", sent = true } end
    local _, err = client():download(task, path, { overwrite = true })
    assert.equal("network", err.kind)
    assert.equal("mine", read(path))
  end)

  it("refuses a directory, and a directory that is not there", function()
    local _, err = client():download(task, "/tmp", { overwrite = true })
    assert.equal("io", err.kind)
    _, err = client():download(task, "/nowhere/at/all.mp4")
    assert.equal("io", err.kind)
    assert.equal(0, #requests)
  end)

  it("keeps what arrived of a file that is cut short", function()
    function answer()
      local response = whole()
      response.body = FILM:sub(1, 1000)
      return response
    end
    local _, err = client():download(task, path)
    assert.equal("network", err.kind)
    assert.equal("video_1", err.task_id)
    assert.equal(FILM:sub(1, 1000), read(path .. ".part"))
    assert.is_nil(read(path))
  end)

  it("resumes where it broke off, if the file is still the same", function()
    function answer()
      local response = whole()
      response.body = FILM:sub(1, 1000)
      return response
    end
    client():download(task, path)
    function answer(req)
      assert.equal("bytes=1000-", req.headers["Range"])
      assert.equal('"v1"', req.headers["If-Range"])
      return { status = 206, body = FILM:sub(1001), headers = {
        ["content-type"] = "video/mp4", etag = '"v1"',
        ["content-range"] = ("bytes 1000-%d/%d"):format(#FILM - 1, #FILM) } }
    end
    local file = assert(client():download(task, path))
    assert.equal(1000, file.resumed_from)
    assert.equal(FILM, read(path))
  end)

  it("begins anew where the server sends the whole file again", function()
    write(path .. ".part", "old bytes")
    write(path .. ".part.json", '{"task_id":"video_1","validator":"\\"v0\\""}')
    local file = assert(client():download(task, path))
    assert.equal('"v0"', requests[1].headers["If-Range"])
    assert.is_nil(file.resumed_from)
    assert.equal(FILM, read(path))
  end)

  it("begins anew where the rest of another task lies about", function()
    write(path .. ".part", "old bytes")
    write(path .. ".part.json", '{"task_id":"video_2","validator":"\\"v0\\""}')
    assert(client():download(task, path))
    assert.is_nil(requests[1].headers["Range"])
    assert.equal(FILM, read(path))
  end)

  it("begins anew where the server cannot resume there", function()
    write(path .. ".part", FILM .. "too much")
    write(path .. ".part.json", '{"task_id":"video_1","validator":"\\"v1\\""}')
    function answer(req)
      return req.headers["Range"] and { status = 416, headers = {} } or whole()
    end
    assert(client():download(task, path))
    assert.equal(FILM, read(path))
  end)

  it("calls a dead link expired and says how to get another", function()
    for _, status in ipairs { 403, 404, 410 } do
      function answer() return { status = status, headers = {}, body = "" } end
      local _, err = client():download(task, path)
      assert.equal("expired", err.kind)
      assert.truthy(err.message:find("query", 1, true))
      assert.is_nil(read(path .. ".part"))
    end
  end)

  it("does not save a page as a video", function()
    for _, kind in ipairs { "text/html; charset=utf-8", "application/json" } do
      function answer()
        return { status = 200, body = "<html>", headers = {
          ["content-type"] = kind } }
      end
      local _, err = client():download(task, path)
      assert.equal("protocol", err.kind)
      assert.is_nil(read(path))
      assert.is_nil(read(path .. ".part"))
    end
  end)

  it("never shows the signature of the link", function()
    function answer()
      return nil, { reason = "reset", message = "lost " .. LINK, sent = true }
    end
    local _, err = client():download(task, path)
    for _, value in pairs(err) do
      assert.is_nil(tostring(value):find("secret", 1, true))
    end
  end)

  it("says that a task is not ready", function()
    function answer()
      return { status = 200, headers = {},
        body = '{"id":"video_1","status":"processing"}' }
    end
    local _, err = client():download("video_1", path)
    assert.equal("timeout", err.kind)
    assert.equal("video_1", err.task_id)
  end)

  it("says that a task has failed", function()
    function answer()
      return { status = 200, headers = {},
        body = '{"id":"video_1","status":"failed","error":"too dark"}' }
    end
    local _, err = client():download("video_1", path)
    assert.equal("task_failed", err.kind)
    assert.equal("too dark", err.message)
  end)

  it("raises where the path is no text", function()
    assert.has_error(function() client():download(task) end)
    assert.has_error(function() client():download(task, "") end)
  end)
end)
