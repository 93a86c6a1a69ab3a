-- Where a link may lead, and how much may come from there.

local command = require "spec.fixtures.command"
local media = require "spec.fixtures.media"

local FILM = media.FILM
local INSIDE = "http://10.0.0.1/film.mp4?signature=secret"

describe("a download", function()
  local world

  before_each(function()
    world = media.new()
  end)
  after_each(function()
    world:close()
  end)

  local function private()
    return nil, { reason = "private", sent = false, phase = "connect",
      message = "its address is this machine's or a private network's" }
  end

  -- What the media host answers where private addresses are allowed.
  local function inside(req)
    if req.public_only then
      return private()
    end
    return media.whole()
  end

  it("asks for public addresses alone", function()
    assert(world:save())
    assert.is_true(world.requests[1].public_only)
  end)

  it("refuses a link to a private one, once, and keeps the link", function()
    world.answer = inside
    world.task.video_url = INSIDE
    local err = world:fails("protocol", "private_links (--private-links)")
    assert.equal("private", err.reason)
    assert.truthy(err.message:find("the video stays bought", 1, true))
    assert.is_nil(err.message:find("secret", 1, true))
    assert.equal(1, #world.requests)
    assert.equal(0, #world.naps)
    assert.equal(INSIDE, world.task.video_url)
    world:is_clean()
  end)

  it("takes one where private_links says so", function()
    world.answer = inside
    world.client = world:new { private_links = true }
    assert(world:save())
  end)

  it("takes one where the provider's own address is private", function()
    world.answer = inside
    for _, host in ipairs { "127.0.0.1:8080", "localhost:1", "10.1.2.3",
      "[::1]:80", "[fd00::1]" } do
      world.client = world:new { base_url = "https://" .. host }
      assert(world:save { overwrite = true })
    end
  end)

  it("takes one where the provider's name has a private address", function()
    world.answer = inside
    local asked
    function world.link(req)
      asked = req.public_only
      return private()
    end
    world.client = world:new { base_url = "https://sandbox.test" }
    assert(world:save())
    assert.is_true(asked)
    assert.equal(2, #world.requests)
    assert.equal(1, world.queries)
  end)

  it("takes none from a provider whose address is public", function()
    world.answer = inside
    world:fails("protocol", "--private-links")
    assert.equal(1, world.queries)
    assert.equal(1, #world.requests)
  end)

  it("ends at max_video, whatever the transport", function()
    world.client = world:new { max_video = #FILM - 1 }
    local err = world:fails("protocol", "(--max-video)")
    assert.equal("too_large", err.reason)
    assert.truthy(err.message:find(("%d bytes"):format(#FILM - 1), 1, true))
    assert.truthy(err.message:find("the video stays bought", 1, true))
    assert.equal(1, #world.requests)
    assert.equal(#FILM - 1, world.requests[1].sink.max)
    world:is_clean()
    world.client = world:new { max_video = #FILM }
    assert(world:save())
  end)

  it("has 4 GiB at most unless told otherwise", function()
    assert(world:save())
    assert.equal(4294967296, world.requests[1].sink.max)
  end)

  it("counts what it has of a longer one", function()
    world.client = world:new { max_video = #FILM - 1 }
    world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"' })
    function world.answer() return media.rest(1000) end
    world:fails("protocol", "max_video")
    assert.equal(FILM:sub(1, 1000), world:read ".part")
  end)

  it("keeps nothing of a body without an end", function()
    function world.answer(req)
      local file = assert(io.open(req.sink.path, "wb"))
      file:write(FILM)
      file:close()
      return nil, { reason = "too_large", sent = true, phase = "body",
        message = "the file is larger than 10 bytes" }
    end
    world:fails("protocol", "max_video")
    world:is_clean()
  end)

  describe("by the command", function()
    local function run(...)
      local seen
      local code, _, err = command.run({ "download", "video_1", "-o", world.path,
        ... }, { transport = function(req)
          if req.url:find("/v1/result/", 1, true) then
            return world.link(req)
          end
          seen = req
          return inside(req)
        end })
      return code, err, seen
    end

    it("ends with 7, and names the option", function()
      local code, err = run()
      assert.equal(7, code)
      assert.truthy(err:find("--private-links", 1, true), err)
      assert.equal(0, (run "--private-links"))
    end)

    it("has a largest size", function()
      assert.equal(0, (run("--private-links", "--max-video", "1M")))
      local code, err, seen = run("--private-links", "--overwrite",
        "--max-video", "5K")
      assert.equal(0, code, err)
      assert.equal(5120, seen.sink.max)
      code, err = run("--private-links", "--overwrite", "--max-video", "100")
      assert.equal(7, code)
      assert.truthy(err:find("--max-video", 1, true), err)
      for _, wrong in ipairs { "0", "x", "-1", "5Q" } do
        assert.equal(2, (run("--max-video", wrong)), wrong)
      end
    end)
  end)
end)
