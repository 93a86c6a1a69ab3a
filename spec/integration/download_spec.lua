-- Downloads over real sockets onto a real disk: broken off by the server, by
-- the disk and by `kill -9`, and gone on with.

local block = require "starvideos.host.block"
local clip = require "spec.fixtures.clip"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local download = require "starvideos.order.download"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local media = require "spec.fixtures.media"
local nginx = require "spec.fixtures.nginx"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local FILM = clip.mp4(1048600, "0123456789abcdef")
local OTHER = clip.mp4(500024, "other")
-- As sha256sum prints it.
local FILM_SHA256 =
  "4681a1e59048145401eeb7c5a7e4b8ccd86ec87e8e0c9f5a1dca89b0f0408ff1"

-- Half of the film and then an end, or silence, for who asks for the whole;
-- the rest comes as it is.
local WAYS = [[
location = /slow.mp4 { limit_rate 600k; try_files /film.mp4 =404; }
location = /cut.mp4 {
  content_by_lua_block {
    ngx.shared.seen:incr("cut", 1, 0)
    if ngx.var.http_range then return ngx.exec("/film.mp4") end
    local answer = ngx.location.capture("/film.mp4")
    ngx.header.content_type = "video/mp4"
    ngx.header.content_length = #answer.body
    ngx.header.etag = answer.header["ETag"]
    ngx.print(answer.body:sub(1, #answer.body / 2)) ngx.flush(true)
    return ngx.exit(ngx.ERROR)
  }
}
location = /stall.mp4 {
  content_by_lua_block {
    if ngx.var.http_range then return ngx.exec("/film.mp4") end
    local answer = ngx.location.capture("/film.mp4")
    ngx.header.content_type = "video/mp4"
    ngx.header.content_length = #answer.body
    ngx.header.etag = answer.header["ETag"]
    ngx.print(answer.body:sub(1, #answer.body / 2)) ngx.flush(true)
    ngx.sleep(30)
  }
}
location = /stubborn.mp4 {
  content_by_lua_block {
    local answer = ngx.location.capture("/film.mp4")
    local first = tonumber((ngx.var.http_range or ""):match("(%d+)%-"))
    ngx.header.content_type = "video/mp4"
    ngx.header.etag = '"another"'
    if first then
      ngx.status = 206
      ngx.header.content_range = ("bytes %d-%d/%d"):format(first,
        #answer.body - 1, #answer.body)
    end
    ngx.print(answer.body:sub((first or 0) + 1))
  }
}
location = /half.mp4 {
  content_by_lua_block {
    local answer = ngx.location.capture("/film.mp4")
    ngx.header.content_type = "video/mp4"
    ngx.header.etag = '"half"'
    local body = answer.body
    if (ngx.shared.seen:incr("half", 1, 0)) <= tonumber(ngx.var.arg_times) then
      body = body:sub(1, #body / 2)
    end
    if ngx.var.arg_sized then ngx.header.content_length = #body end
    ngx.print(body)
  }
}
location = /text.mp4 {
  types {} default_type text/plain; try_files /film.mp4 =404;
}
location = /drip.mp4 {
  default_type text/plain;
  content_by_lua_block {
    local body = ngx.location.capture("/film.mp4").body
    ngx.header.content_length = #body
    ngx.print(body:sub(1, 3)) ngx.flush(true)
    ngx.print(body:sub(4))
  }
}
location = /nameless.mp4 {
  content_by_lua_block {
    local body = ngx.location.capture("/film.mp4").body
    if ngx.var.http_range then
      ngx.status = 206
      body = body:sub(#body / 2 + 1)
    end
    ngx.header.content_type = "video/mp4"
    ngx.header.content_length = #body
    ngx.print(body)
  }
}
location = /page.mp4 { default_type text/html; return 200 "<p>Sign in"; }
location = /json.mp4 {
  default_type application/json;
  return 200 '{"code":500,"msg":"no such file"}';
}
location = /lie.mp4 { default_type video/mp4; return 200 "<p>Sign in"; }
location = /dead.mp4 { return 403; }
location = /picky.mp4 {
  if ($http_user_agent !~ "^starvideos/[0-9.]+$") { return 403; }
  try_files /film.mp4 =404;
}
location = /far.mp4 { return 302 /picky.mp4; }
location /kyyReactApiServer/v1/result/ {
  default_type application/json;
  content_by_lua_block {
    ngx.shared.seen:incr("queries", 1, 0)
    ngx.print('{"id":"video_1","status":"completed","video_url":',
      '"http://127.0.0.1:@port@/', ngx.shared.seen:get("next"), '"}')
  }
}
location = /forget { content_by_lua_block { ngx.shared.seen:delete("half") } }
location = /next { content_by_lua_block {
  ngx.shared.seen:set("next", ngx.var.arg_is)
} }
location = /count { content_by_lua_block {
  ngx.print(ngx.shared.seen:get(ngx.var.arg_of) or 0)
} }
]]

local read, write = files.read, files.write

local function size_of(path)
  return #(read(path) or "")
end

describe("a download", function()
  local server, folder, path, client, skipped

  local function now()
    return core.now() + skipped
  end

  -- Pauses between attempts take no time.
  local function new(fields)
    local options = { api_key = "key", ca_file = server.ca_file,
      base_url = server.url .. "/kyyReactApiServer",
      clock = now, sleep = function(seconds) skipped = skipped + seconds end }
    for name, value in pairs(fields or {}) do
      options[name] = value
    end
    return assert(starvideos.new(options))
  end

  local function task(name, base)
    return { id = "video_1", status = "completed",
      video_url = (base or server.url) .. "/" .. name .. "?sig=secret" }
  end

  local function save(name, options)
    return client:download(task(name), path, options)
  end

  local function is_whole(file, err)
    assert.is_nil(err)
    assert.equal(FILM_SHA256, file.sha256)
    assert.equal(#FILM, file.bytes)
    assert.equal(FILM, read(path))
    assert.is_nil(read(path .. ".part"))
    assert.is_nil(read(path .. ".part.json"))
    return file
  end

  local function fails(kind, message, file, err)
    assert.is_nil(file)
    assert.equal(kind, err.kind)
    assert.truthy(err.message:find(message, 1, true), err.message)
    assert.is_nil(err.message:find("secret", 1, true))
    return err
  end

  local function ask(where)
    local engine = curl.network { inline = true }
    local transfer = assert(engine:submit { url = server.url .. where })
    while not transfer:done() do
      engine:step(1)
    end
    local response = assert(transfer:result())
    engine:close()
    return response.body
  end

  local function count(of)
    return tonumber(ask("/count?of=" .. of))
  end

  local function await(what)
    local give_up = core.now() + 10
    while not what() do
      assert(core.now() < give_up, "it never happens")
      core.sleep(0.02)
    end
  end

  setup(function()
    server = nginx.start { tls = true, body = WAYS }
    folder = files.folder()
    path = folder .. "/film.mp4"
  end)
  teardown(function()
    server:stop()
    files.remove(folder)
  end)
  before_each(function()
    skipped = 0
    server:serve("film.mp4", FILM)
    shell.run("rm -rf -- " .. shell.quote(folder) .. "/*")
    client = new()
  end)
  after_each(function()
    client:close()
  end)

  for _, scheme in ipairs { "url", "tls_url" } do
    it("arrives whole, with its digest, over " .. scheme, function()
      local file = is_whole(client:download(task("film.mp4", server[scheme]),
        path))
      assert.is_nil(file.resumed_from)
    end)
  end

  it("names its program to a host that wants one, also behind a redirect",
    function()
      is_whole(client:download(task("far.mp4", server.tls_url), path))
    end)

  it("goes on where the connection broke", function()
    local before = count "cut"
    local file = is_whole(save "cut.mp4")
    assert.equal(math.floor(#FILM / 2), file.resumed_from)
    assert.equal(2, count "cut" - before)
  end)

  it("goes on where the connection fell silent", function()
    local start = core.now()
    is_whole(save("stall.mp4", { stall_timeout = 1 }))
    assert.is_true(core.now() - start < 10)
  end)

  describe("of a process that was killed", function()
    local kept

    -- A process downloads slowly and is killed when it has a part.
    local function kill_one(bytes)
      local child = process.start(function()
        return save "slow.mp4"
      end)
      await(function()
        return size_of(path .. ".part") > (bytes or 100000)
          and size_of(path .. ".part.json") > 0
      end)
      shell.run("kill -9 " .. ("%d"):format(child))
      assert.is_false(process.await(child))
      kept = size_of(path .. ".part")
      assert.is_true(kept < #FILM)
      assert.is_nil(read(path))
    end

    it("is gone on with by the next", function()
      kill_one()
      local notes = media.notes(path)
      assert.equal("video_1", notes.task_id)
      assert.equal(#FILM, notes.total)
      local resumed = is_whole(save "film.mp4").resumed_from
      assert.is_true(resumed > kept / 2 and resumed <= kept, resumed)
    end)

    it("is gone on with by several that are killed, too", function()
      kill_one()
      kill_one(300000)
      local _, record = media.notes(path)
      assert.is_true(record.from > 50000 and record.bytes > record.from)
      assert.equal(record.bytes, is_whole(save "film.mp4").resumed_from)
    end)

    it("is restarted where a byte of it has changed", function()
      for _, second in ipairs { false, true } do
        kill_one()
        if second then
          kill_one(300000)
        end
        local text = read(path .. ".part")
        write(path .. ".part", text:sub(1, 3000) .. "?" .. text:sub(3002))
        assert.is_nil(is_whole(save "film.mp4").resumed_from)
        os.remove(path)
      end
    end)

    it("is as open to others as other files, and its notes are not", function()
      kill_one()
      write(path, "")
      assert.equal(files.mode(path), files.mode(path .. ".part"))
      assert.equal("600", files.mode(path .. ".part.json"))
    end)

    it("is restarted where the server has another file now", function()
      kill_one()
      server:serve("film.mp4", OTHER)
      local file = assert(save "film.mp4")
      assert.is_nil(file.resumed_from)
      assert.equal(OTHER, read(path))
      assert.equal(curl.disk("sha256", path), file.sha256)
    end)

    it("is restarted where the server does not say so itself", function()
      kill_one()
      assert.is_nil(is_whole(save "stubborn.mp4").resumed_from)
    end)
  end)

  it("is one process's at a time", function()
    local child = process.start(function()
      return save "slow.mp4"
    end)
    await(function() return size_of(path .. ".part") > 0 end)
    local err = fails("io", "another download is writing", save "film.mp4")
    assert.truthy(err.message:find("film.mp4.part", 1, true))
    assert.is_true(process.await(child))
    assert.equal(FILM, read(path))
  end)

  it("overwrites nothing that appears during the download", function()
    local err = fails("io", "appeared during the download", save("film.mp4", {
      on_progress = function() write(path, "theirs") end }))
    assert.equal("theirs", read(path))
    assert.equal(#FILM, err.bytes)
    is_whole(save("dead.mp4", { overwrite = true }))
  end)

  describe("of what is no video", function()
    for name, words in pairs { page = "<p>Sign in", lie = "<p>Sign in",
      json = "no such file" } do
      it("fails with the first words of " .. name, function()
        fails("protocol", words, save(name .. ".mp4"))
        for _, ending in ipairs { "", ".part", ".part.json" } do
          assert.is_nil(read(path .. ending))
        end
      end)
    end
  end)

  describe("of a video that is cut at the host", function()
    local function cut(times, more)
      ask "/forget"
      return { id = "video_1", status = "completed", video_url = ("%s/half.mp4"
        .. "?times=%d%s"):format(server.url, times, more) }
    end

    for name, more in pairs { ["without a length"] = "",
      ["of a length"] = "&sized=1" } do
      it("is fetched again, " .. name, function()
        local before = skipped
        is_whole(client:download(cut(2, more), path))
        assert.is_true(skipped > before)
        assert.equal(3, count "half")
      end)

      it("fails in the end, and its part is kept, " .. name, function()
        local err = fails("network", "is cut short",
          client:download(cut(99, more), path))
        assert.equal("cut", err.reason)
        assert.is_nil(read(path))
        assert.equal(FILM:sub(1, math.floor(#FILM / 2)), read(path .. ".part"))
        assert.equal(3, count "half")
        is_whole(save "film.mp4")
      end)
    end

    it("is looked at while a game draws on", function()
      local game = new { runtime = "frame" }
      local handle = game:async(function()
        return game:download(cut(99, ""), path)
      end)
      local engine = curl.network { inline = true }
      while not handle.done do
        game:update()
        skipped = skipped + 0.1
        engine:step(0.002)
      end
      engine:close()
      game:close()
      fails("network", "is cut short", nil, handle.err)
      assert.equal(math.floor(#FILM / 2), size_of(path .. ".part"))
    end)
  end)

  describe("of a video that is called a text", function()
    for name, base in pairs { ["HTTP/1.1"] = "url", TLS = "tls_url" } do
      it("is saved, over " .. name, function()
        is_whole(client:download(task("text.mp4", server[base]), path))
      end)
    end

    it("is saved where it shows late what it is", function()
      is_whole(save "drip.mp4")
    end)

    it("takes the place of another version's part", function()
      media.leave(path, OTHER:sub(1, 1000), { task_id = "video_1",
        etag = '"other"' })
      is_whole(save "text.mp4")
    end)
  end)

  for name, where in pairs { ["a part that does not say which it is"] =
    "nameless.mp4", ["another version"] = "film.mp4" } do
    it("begins again where the host sends " .. name, function()
      media.leave(path, FILM:sub(1, #FILM / 2), { task_id = "video_1",
        etag = '"other"' })
      assert.is_nil(is_whole(save(where)).resumed_from)
    end)
  end

  describe("from a URL that cannot be used", function()
    for name, link in pairs { relative = "/film.mp4?sig=secret",
      ["without a scheme"] = "media.test/film.mp4?sig=secret",
      ["with a blank"] = "https://127.0.0.1/a film.mp4?sig=secret",
      ["with a user"] = "https://me:secret@127.0.0.1/film.mp4",
      ["of http elsewhere"] = "http://192.0.2.1/film.mp4?sig=secret",
      ["of another protocol"] = "file:///etc/passwd?secret",
      ["without a host"] = "https:///?sig=secret",
      ["with a line in it"] = "https://127.0.0.1/a\nfilm.mp4?sig=secret" } do
      it(name .. " blames the answer, and says how to go on", function()
        local err = fails("protocol", "the download URL of task video_1 cannot"
          .. " be used", client:download({ id = "video_1", status = "completed",
            video_url = link }, path))
        assert.truthy(err.message:find("the video stays bought: query the task",
          1, true))
        assert.equal("video_1", err.task_id)
        assert.is_nil(read(path .. ".part"))
      end)
    end
  end)

  describe("from a URL that has expired", function()
    local function next_link(name)
      ask("/next?is=" .. name)
    end

    it("asks once for another URL", function()
      next_link "film.mp4"
      local before = count "queries"
      is_whole(save "dead.mp4")
      assert.equal(1, count "queries" - before)
    end)

    it("fails where that has expired too", function()
      next_link "gone.mp4"
      local before = count "queries"
      fails("expired", "HTTP 404", save "dead.mp4")
      assert.equal(1, count "queries" - before)
      assert.is_nil(read(path .. ".part"))
    end)
  end)

  it("notes its version when many are gathered, too", function()
    local runtime = block.new { clock = core.now }
    local context = { runtime = runtime, connect_timeout = 5, max_video = 2 ^ 32,
      private_links = true,
      random = math.random, wall_clock = os.time }
    local file, early
    runtime:gather {
      function()
        file = download.save(context, task "slow.mp4", path, {})
      end,
      function()
        local give_up = core.now() + 10
        repeat
          runtime:sleep(0.02)
          early = media.notes(path)
        until early or file or core.now() > give_up
      end,
    }
    runtime:close()
    is_whole(file)
    assert.equal(#FILM, early.total)
  end)

  it("lets a game draw on while a large file is digested", function()
    local total = 300 * 1000 * 1000
    local function lengthen()
      shell.run(("truncate -s %d -- %s"):format(total,
        shell.quote(path .. ".part")))
    end
    write(path .. ".part", FILM)
    lengthen()
    local record = { bytes = total, from = 0,
      sha256 = curl.disk("sha256", path .. ".part") }
    media.leave(path, FILM, { task_id = "video_1", etag = '"v1"',
      total = total }, record)
    lengthen()
    local game = new { runtime = "frame", clock = core.now }
    local handle = game:async(function()
      return game:download(task "film.mp4", path)
    end)
    local engine, frames = curl.network { inline = true }, 0
    while not handle.done do
      game:update()
      frames = frames + 1
      engine:step(0.002)
    end
    engine:close()
    game:close()
    assert.equal(total, handle.result.bytes)
    assert.equal(64, #handle.result.sha256)
    -- A job that it waited for itself would be one frame.
    assert.is_true(frames > 30, frames)
  end)

  describe("onto a disk that is full", function()
    it("keeps what fits and continues later", function()
      local child = process.start(function()
        process.limit_files(300000)
        local _, err = save "film.mp4"
        return err and err.kind == "io" and err.bytes == 300000
          and err.message:find("File too large; the video stays bought,"
            .. " and 300000 bytes of it are kept", 1, true)
      end)
      assert.is_true(process.await(child))
      assert.equal(300000, is_whole(save "film.mp4").resumed_from)
    end)

    -- A file system of its own, where this user may have one.
    local SMALL = [[
unshare -rm sh -c 'mount -t tmpfs -o size=400k none "$1" && shift &&
  exec "$@"' sh @folder@ @lua@ @script@ @url@ @folder@]]

    local SCRIPT = [[
local client = assert(require("starvideos").new { api_key = "key",
  private_links = true })
local task = { id = "video_1", status = "completed", video_url = arg[1] }
local path = arg[2] .. "/film.mp4"
local _, err = client:download(task, path)
print(err.kind, err.bytes, err.message)
os.execute("mount -o remount,size=4m " .. arg[2])
local file = assert(client:download(task, path))
print(file.resumed_from, file.sha256)
]]

    it("continues when there is room", function()
      if not shell.run "unshare -rm true 2>/dev/null" then
        pending "this user may mount nothing"
        return
      end
      local mount, script = folder .. "/disk", folder .. "/full.lua"
      shell.run("mkdir " .. shell.quote(mount))
      write(script, SCRIPT)
      local output = shell.read(shell.fill(SMALL, { folder = mount,
        script = script, url = server.url .. "/film.mp4?sig=secret",
        lua = interpreter }))
      local kind, bytes, message, resumed_from, sha256 =
        output:match("^(%w+)\t(%d+)\t([^\n]+)\n(%d+)\t(%w+)$")
      assert.equal("io", kind, output)
      assert.truthy(message:find("No space left on device", 1, true))
      assert.truthy(message:find(bytes .. " bytes of it are kept", 1, true))
      assert.equal(bytes, resumed_from)
      assert.equal(FILM_SHA256, sha256)
    end)
  end)
end)
