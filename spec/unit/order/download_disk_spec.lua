local core = require "starvideos.core"
local download = require "starvideos.order.download"
local files = require "spec.fixtures.files"
local generate = require "starvideos.order.generate"
local media = require "spec.fixtures.media"
local stepped = require "spec.fixtures.stepped"

local FILM = media.FILM

describe("the disk under a download", function()
  local world, runtime, context

  local function start_over()
    runtime = stepped.new(world)
    context = { runtime = runtime, api_key = "test-key", timeout = 60,
      base_url = "https://api.example", max_video = 2 ^ 32, wall_clock = os.time,
      random = function() return 0.5 end, ledger = context and context.ledger }
  end

  before_each(function()
    world = media.new()
    context = nil
    start_over()
  end)
  after_each(function()
    world:close()
  end)

  local function save(options)
    return runtime:run(function()
      return download.save(context, world.task, world.path, options or {})
    end)
  end

  local function left_over()
    world:left_over(FILM:sub(1, 1000), { task_id = "video_1", etag = '"v1"',
      total = #FILM })
  end

  local function rest()
    return media.rest(1000)
  end

  describe("is touched by jobs of the runtime alone:", function()
    it("a whole file", function()
      assert.equal(#FILM, save().bytes)
      assert.equal(FILM, world:read())
      world:is_clean()
    end)

    it("the rest of a file", function()
      left_over()
      world.answer = rest
      assert.equal(1000, save().resumed_from)
      assert.equal(FILM, world:read())
      world:is_clean()
    end)

    it("over a file that is there", function()
      files.write(world.path, "mine")
      assert(save { overwrite = true })
      assert.equal(FILM, world:read())
    end)

    it("what is no video", function()
      function world.answer()
        local response = media.whole()
        response.body = ("<html>"):rep(10)
        response.headers["content-length"] = "60"
        return response
      end
      assert.equal("protocol", select(2, save()).kind)
      world:is_clean()
    end)

    it("what is lost again and again", function()
      world.answer = media.in_turn(media.cut, media.lost)
      local _, err = save()
      assert.same({ "network", 1000 }, { err.kind, err.bytes })
    end)

    it("a name that was taken during the download", function()
      function world.answer()
        files.write(world.path, "theirs")
        return media.whole()
      end
      assert.equal(#FILM, select(2, save()).bytes)
      assert.equal("theirs", world:read())
    end)
  end)

  -- Each costs a hand-over to another thread, and in a game a frame.
  it("is given no more than thirteen jobs to wait for", function()
    assert(save())
    assert.is_true(#runtime.jobs <= 13, table.concat(runtime.jobs, " "))
  end)

  it("takes notes while nobody can wait for it", function()
    function world.answer(req)
      req.on_answer(200, media.whole().headers) -- outside the coroutine
      return nil, { reason = "io", message = "No space left", sent = true }
    end
    local seen
    function runtime.job(_, name, ...)
      seen = seen or #world.requests > 0 and world:notes()
      return core.disk(name, ...)
    end
    assert.is_nil((save()))
    assert.same({ task_id = "video_1", etag = '"v1"', total = #FILM }, seen)
  end)

  it("needs no more room for what is coming than it has given", function()
    function world.answer(req)
      local room = #world:read ".part.json"
      req.on_answer(200, media.whole().headers)
      local job = runtime.later[#runtime.later]
      assert.same({ "write", room, "r+b" }, { job[1], job[6] + #job[3], job[4] })
      return media.whole()
    end
    assert(save())
  end)

  it("is not written to by an answer that is told too late", function()
    local told, late = {}, nil
    function world.answer(req)
      late = req
      return media.whole()
    end
    assert(save { on_progress = function(...) told[#told + 1] = { ... } end })
    late.on_answer(200, media.whole().headers)
    late.on_progress(5, 10)
    runtime:run(function() end)
    assert.same({}, told)
    world:is_clean()
  end)

  it("tells a cancelled download what is kept", function()
    left_over()
    runtime.cancelled = true
    local file, err = save()
    assert.is_nil(file)
    assert.same({ "cancelled", "video_1", world.path .. ".part", 1000 },
      { err.kind, err.task_id, err.part, err.bytes })
  end)

  it("keeps nothing of a download that was cancelled before it began",
    function()
      runtime.cancelled = true
      local _, err = save()
      assert.equal("cancelled", err.kind)
      assert.is_nil(err.bytes)
      world:is_clean()
    end)

  it("places what had come when the download was cancelled", function()
    local noted
    context.ledger = { of_task = function() end,
      placing = function() return true end,
      downloaded = function(_, id) noted = id return true end }
    function world.answer()
      runtime.cancelled = true
      return media.whole()
    end
    assert(save())
    assert.equal(FILM, world:read())
    assert.equal("video_1", noted)
  end)

  -- A runtime that is closed may be able to do nothing any more.
  local function refuse_from(first, done)
    function runtime.job(number, name, ...)
      if number < first then
        return core.disk(name, ...)
      elseif done and number == first then
        core.disk(name, ...)
        collectgarbage() -- a lock that nobody got
      end
      runtime.cancelled = true
      return nil, { reason = "cancelled", message = "closed" }
    end
  end

  -- Cancels a download at each of its jobs in turn; `each` gets its results.
  local function cancel_everywhere(prepare, each)
    for _, done in ipairs { false, true } do
      local number, cancelled = 0
      repeat
        number = number + 1
        world:close()
        prepare()
        start_over()
        refuse_from(number, done)
        local file, err = save()
        cancelled = runtime.cancelled
        each(file, err)
      until not cancelled
      assert.is_true(number > 5)
    end
  end

  for what, prepare in pairs { ["whole file"] = function() end,
    ["rest of a file"] = left_over } do
    it("may be out of reach from any job on: a " .. what, function()
      world.answer = function(req)
        return req.headers["Range"] and media.rest(1000) or media.whole()
      end
      cancel_everywhere(prepare, function(file, err)
        if file then
          assert.equal(FILM, world:read())
        else
          assert.equal("cancelled", err.kind)
          assert.equal("video_1", err.task_id)
          start_over()
          local again, problem = save()
          assert.equal(FILM, world:read())
          assert.truthy(again or problem.message:find("exists", 1, true))
        end
      end)
    end)
  end

  it("is not believed where it could not be looked at", function()
    local noted
    context.ledger = {
      path_of = function(path) return path end,
      of_task = function()
        return { state = "completed", task_id = "video_1", bytes = #FILM,
          path = world.path, sha256 = media.FILM_SHA256 }
      end,
      downloaded = function() noted = true return true end,
    }
    files.write(world.path, FILM)
    files.write(world.path .. ".part", "another's")
    for number = 1, 3 do
      start_over()
      refuse_from(number, false)
      assert.equal("cancelled", select(2, save()).kind)
    end
    assert.is_nil(noted)
  end)

  describe("before an order", function()
    local function order()
      return runtime:run(function()
        return generate(context, { model = "videos", prompt = "a kite",
          duration = 5 }, { path = world.path })
      end)
    end

    it("is looked at through the runtime", function()
      files.write(world.path, "mine")
      assert.equal("io", select(2, order()).kind)
      assert.same({ "real", "lock", "real" }, runtime.jobs)
    end)

    it("keeps it from being sent where the look was cancelled", function()
      for number = 1, 3 do
        start_over()
        refuse_from(number, true)
        local _, err = order()
        assert.equal("cancelled", err.kind)
        world:is_clean()
      end
      assert.equal(0, #world.requests)
    end)
  end)
end)
