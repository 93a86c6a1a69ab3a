-- The media origin of the sandbox: links that expire, ranges, and no key.

local transport = require "starvideos.sandbox.transport"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox"
local tasks = require "starvideos.sandbox.tasks"
local url = require "starvideos.sandbox.url"

local function contents(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local CLIP = contents(require("starvideos.sandbox.clips").bundled_path())

local function sent(response)
  local pieces = {}
  for piece in transport.pieces(response) do
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

describe("the media origin", function()
  local provider, now, task

  local function order(prompt)
    local response = provider:handle{ method = "POST",
      path = "/kyyReactApiServer/v1/videos/videos",
      headers = { authorization = "Bearer sandbox-key" },
      body = json.encode{ model = "videos", prompt = prompt, duration = 5 } }
    return provider:task(json.decode(response.body).id)
  end

  local function get(headers, link, method)
    local _, path, query = url.split(link or tasks.link(provider, task))
    return provider:media{ method = method or "GET", path = path .. "?" .. query,
      headers = headers or {} }
  end

  before_each(function()
    now = 1760000000.5
    provider = sandbox.new{ clock = function() return now end, link_seconds = 60 }
    task = order "a kite"
  end)

  it("sends the whole file, with what a resume needs", function()
    local response = get()
    assert.equal(200, response.status)
    assert.equal("video/mp4", response.headers["content-type"])
    assert.equal("bytes", response.headers["accept-ranges"])
    assert.truthy(response.headers.etag:find '^"%x+"$')
    assert.truthy(response.headers["last-modified"]:find " GMT$")
    assert.equal(#CLIP, transport.length(response))
    assert.equal(CLIP, sent(response))
  end)

  it("sends ranges as they are asked for", function()
    local size = #CLIP
    for asked, want in pairs{
      ["bytes=0-0"] = { 0, 0 }, ["bytes=100-199"] = { 100, 199 },
      ["bytes=100-"] = { 100, size - 1 }, ["bytes=-100"] = { size - 100,
        size - 1 },
      ["bytes=-99999999"] = { 0, size - 1 },
      ["bytes=5-99999999"] = { 5, size - 1 },
    } do
      local response = get{ range = asked }
      assert.equal(206, response.status, asked)
      assert.equal(("bytes %d-%d/%d"):format(want[1], want[2], size),
        response.headers["content-range"])
      assert.equal(CLIP:sub(want[1] + 1, want[2] + 1), sent(response))
    end
  end)

  it("sends the whole file if the range makes no sense", function()
    for _, asked in ipairs{ "bytes=9-3", "bytes=-", "lines=1-2", "bytes=a-b",
      "bytes=0-1,5-6" } do
      assert.equal(200, get({ range = asked }).status, asked)
    end
  end)

  it("answers 416 past the end, and says how long the file is", function()
    for _, asked in ipairs{ "bytes=" .. #CLIP .. "-", "bytes=-0" } do
      local response = get{ range = asked }
      assert.equal(416, response.status)
      assert.equal("bytes */" .. #CLIP, response.headers["content-range"])
    end
  end)

  it("resumes only the file that was begun", function()
    local first = get().headers
    for condition, status in pairs{ [first.etag] = 206,
      [first["last-modified"]] = 206, ['"other"'] = 200,
      ["Thu, 01 Jan 1970 00:00:00 GMT"] = 200 } do
      assert.equal(status, get({ range = "bytes=10-",
        ["if-range"] = condition }).status)
    end
  end)

  it("refuses the link from the second on at which it expires", function()
    local link = tasks.link(provider, task)
    local expires = tonumber(link:match "expires=(%d+)")
    assert.equal(1760000061, expires)
    now = expires - 0.1
    assert.equal(200, get(nil, link).status)
    now = expires
    assert.equal(403, get(nil, link).status)
  end)

  it("refuses a link that was altered or made up", function()
    local link = tasks.link(provider, task)
    local other = order "another"
    for _, wrong in ipairs{
      (link:gsub("expires=%d+", "expires=9999999999")),
      (link:gsub("signature=%x%x%x%x", "signature=0000")),
      (link:gsub("&signature.*", "")), (link:gsub("?.*", "")),
      (link:gsub(task.id, other.id)),
    } do
      assert.not_equal(link, wrong)
      assert.equal(403, get(nil, wrong).status, wrong)
    end
  end)

  it("accepts only links signed with its own secret", function()
    local link = tasks.link(provider, task)
    provider.secret = "another"
    assert.equal(403, get(nil, link).status)
  end)

  it("refuses the key and logs that it was sent", function()
    assert.equal(400, get({ authorization = "Bearer sandbox-key" }).status)
    assert.equal(200, get().status)
    local books = provider:tasks()
    assert.same({ requests = 2, with_authorization = 1 }, books.media)
    assert.equal(2, books.tasks[1].media_requests)
  end)

  it("answers 404 to other files, and to other methods than GET and HEAD", function()
    for _, path in ipairs{ "/", "/media/x.mp4", "/media/../clip.mp4",
      "/media/" .. task.id, "/media/.mp4" } do
      assert.equal(404, provider:media{ method = "GET", path = path,
        headers = {} }.status)
    end
    assert.equal(404, get(nil, nil, "PUT").status)
    assert.equal(200, get(nil, nil, "HEAD").status)
  end)

  it("cuts a file half-way, once, and then sends the rest", function()
    task = order "[scenario:media_truncated]"
    local response = get()
    assert.equal(#CLIP, transport.length(response))
    assert.equal(CLIP:sub(1, math.floor(#CLIP / 2)), sent(response))
    local rest = get{ range = ("bytes=%d-"):format(math.floor(#CLIP / 2)),
      ["if-range"] = response.headers.etag }
    assert.equal(206, rest.status)
    assert.is_nil(rest.abort)
    assert.equal(CLIP, sent(response) .. sent(rest))
  end)

  it("has no more than half of a file, once, and calls it what it likes",
    function()
      task = order "[scenario:media_half]"
      local half = math.floor(#CLIP / 2)
      local response = get()
      assert.equal(half, transport.length(response))
      assert.is_nil(response.abort)
      assert.equal(CLIP:sub(1, half), sent(response))
      assert.equal(CLIP, sent(get()))
      task = order "[scenario:media_text]"
      assert.equal("text/plain", get().headers["content-type"])
      assert.equal(CLIP, sent(get()))
    end)

  it("changes the file between the first part and the second", function()
    task = order "[scenario:media_changed]"
    local response = get()
    local begun = sent(response)
    assert.equal(math.floor(#CLIP / 2), #begun)
    assert.not_equal(CLIP:sub(1, #begun), begun)
    local again = get{ range = ("bytes=%d-"):format(#begun),
      ["if-range"] = response.headers.etag }
    assert.equal(200, again.status)
    assert.equal(CLIP, sent(again))
  end)

  it("returns an expired link first and a valid one at the next query",
    function()
      task = order "[scenario:link_expired]"
      now = now + 10
      local function link()
        local response = provider:handle{ method = "GET",
          path = "/kyyReactApiServer/v1/result/" .. task.id,
          headers = { authorization = "Bearer sandbox-key" } }
        return json.decode(response.body).video_url
      end
      assert.equal(403, get(nil, link()).status)
      assert.equal(200, get(nil, link()).status)
    end)

  it("redirects to a link that works", function()
    task = order "[scenario:media_redirect]"
    local response = get()
    assert.equal(302, response.status)
    assert.equal(200, get(nil, response.headers.location).status)
  end)

  for name, status in pairs{ media_403 = 403, media_404 = 404,
    media_410 = 410, media_500 = 500, media_503 = 503, media_html = 200,
    media_json = 200, media_empty = 200 } do
    it(("says %d at %s, and sends no video"):format(status, name), function()
      task = order("[scenario:" .. name .. "]")
      local response = get()
      assert.equal(status, response.status)
      assert.is_nil(sent(response):find("ftyp", 1, true))
    end)
  end

  it("ignores ranges, or leaves out the length, if a scenario says so",
    function()
      task = order "[scenario:media_no_range]"
      local response = get{ range = "bytes=5-" }
      assert.equal(200, response.status)
      assert.is_nil(response.headers["accept-ranges"])
      task = order "[scenario:media_no_length]"
      assert.is_true(get().unsized)
    end)
end)
