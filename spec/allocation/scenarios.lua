--- What is done while memory runs out: under each name `short_of`, whose
-- memory it takes; `answer`, the bytes that the peer answers each connection
-- with; `begin`, `run`, which may fail at any instruction, and `check`, for
-- which there is memory again. They get the same table, whose fields are there
-- from the start, so that keeping a value in it takes no memory.

local URL = "http://127.0.0.1/v1/videos/videos"
local STEPS = 2000

local function answer(status, body, fields)
  return ("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s"):format(status,
    fields or "", #body, body)
end

local CREATED = answer("200 OK", '{"id":"video_1","status":"queued"}',
  "Content-Type: application/json\r\nX-Twice: a\r\nX-Twice: b\r\n")

-- Until it is done; a transfer that never ends fails the scenario.
local function drive(engine, transfer)
  for _ = 1, STEPS do
    if transfer:done() then
      return
    end
    engine:step(1)
  end
  error("the transfer does not end", 0)
end

-- A ticket, or nil and a failure.
local function submit(t, req)
  local ticket, failure = t.engine:submit(req)
  return ticket, not ticket and failure or nil
end

-- Until its end, where it was begun.
local function go(t)
  local transfer = t.transfer
  if transfer then
    drive(t.engine, transfer)
    t.response, t.failure = transfer:result()
    t.transfer = nil -- it has no other result
  end
end

-- What has no memory says so. libcurl has many words for it: there it counts
-- that nobody is said to have ended the transfer.
local function assert_short(t)
  local reason, message = t.failure.reason, t.failure.message
  local named = reason == "io" and message:lower():find "memory"
  assert(named or t.source == "curl" and reason ~= "cancelled",
    reason .. ": " .. message)
end

local function open(t)
  t.engine = require "starvideos.curl".network { inline = true, ca_file = "/dev/null",
    max_in_flight = 1 }
end

-- What was begun has an end, whatever came between, and its end can be read. The
-- engine goes on to be of use.
local function finish(t)
  if not t.engine then
    return
  end
  go(t)
  if type(t.value) == "userdata" then
    drive(t.engine, t.value)
  end
  while t.engine:take() do
  end
  assert(t.engine:in_flight() == 0, "a transfer is left in flight")
  t.engine:close()
end

local order = {
  method = "POST", url = URL, body = '{"prompt":"a city"}', fresh = true,
  headers = { Authorization = "Bearer key", Accept = "application/json",
    ["X-Empty"] = "" },
  timeout = 5, connect_timeout = 5,
}

local scenarios = {}

scenarios["the modules are loaded"] = {
  short_of = { "lua" },
  run = function(t)
    t.value = require "starvideos.core"
    t.other = require "starvideos.curl"
  end,
  check = function(t, ok)
    assert(not ok or t.value.catalog and t.other.network)
    for name in pairs { ["starvideos.core"] = 1, ["starvideos.curl"] = 1 } do
      package.loaded[name] = nil -- Lua 5.1 remembers that one was begun
      assert(require(name))
    end
  end,
}

local model = {
  name = "videos_next", endpoint = "/v1/next", editions = { "mingyan" },
  prompt = { max = 10 },
  duration = { min = 4, max = 15, advised = { 5, 10 } },
  ratio = { values = { "16:9", "9:16" }, default = "16:9" },
  referenceImages = { max = 4, max_bytes = 20971520 },
}

local function faulty()
  local params = { model = "videos_next", duration = 99, ratio = "1:2",
    prompt = ("é"):rep(20), referenceImages = { "ftp://x", " ", 7,
    { url = "https://h/a.png", bytes = 1e9 } }, first_image = "https://h/a" }
  for i = 1, 60 do
    params["field_" .. i] = i
  end
  return params
end

scenarios["a catalog is made"] = {
  short_of = { "ours", "lua" },
  run = function(t)
    t.catalog = require "starvideos.core".catalog { edition = "mingyan",
      models = { model, model } }
    t.value = t.catalog:models()
    t.other = t.catalog:model "videos_next"
  end,
  check = function(t, ok)
    assert(not ok or t.other.duration.max == 15 and #t.value > 1)
    assert(not t.catalog or t.catalog:model "videos_next".duration.max == 15)
  end,
}

scenarios["a request is validated"] = {
  short_of = { "ours", "lua" },
  run = function(t)
    t.catalog = require "starvideos.core".catalog { models = { model } }
    t.ok, t.value, t.other = t.catalog:validate(faulty())
    t.again = t.catalog:validate { model = "videos_next", prompt = "a city",
      duration = 7 }
  end,
  check = function(t, ok)
    if t.catalog then
      local good, violations = t.catalog:validate(faulty())
      assert(good == false and #violations > 60, "a fault went unseen")
      assert(not ok or #violations == #t.value and t.again == true)
    end
  end,
}

-- An order arrives once or not at all, and what is said of it is true.
scenarios["an order is sent"] = {
  short_of = { "ours", "lua", "curl" },
  answer = CREATED,
  run = function(t)
    open(t)
    t.transfer, t.failure = submit(t, order)
    if t.transfer then
      drive(t.engine, t.transfer)
      t.value = t.transfer:answer()
    end
    go(t)
  end,
  check = function(t, ok, arrived, posts, proxied)
    finish(t)
    assert(posts <= 1, "the order was sent twice")
    assert(proxied == 0, "the order went to a proxy")
    local failed = t.failure
    assert(arrived == 0 or t.response or failed and failed.sent,
      "the order arrived, which nobody was told")
    if t.response then
      assert(t.response.body:find "video_1")
      assert(t.response.headers["x-twice"] == "a, b")
    elseif failed then
      assert_short(t)
    end
    assert(not ok or t.response or failed)
  end,
}

scenarios["a request waits for another"] = {
  short_of = { "ours", "lua", "curl" },
  answer = CREATED,
  run = function(t)
    open(t)
    t.value, t.failure = submit(t, order)
    if t.value then
      t.transfer, t.failure = submit(t, { url = URL, timeout = 5 })
      t.value:cancel()
      go(t)
    end
  end,
  check = function(t, _, _, posts)
    finish(t)
    assert(posts <= 1)
    assert(not t.response or t.response.status == 200)
    assert(not t.failure or t.failure.sent or t.failure.reason ~= "timeout")
  end,
}

scenarios["an engine is closed on a request"] = {
  short_of = { "ours", "lua", "curl" },
  answer = CREATED,
  run = function(t)
    open(t)
    t.transfer, t.failure = submit(t, order)
    t.engine:step(0)
    t.value = t.engine
    t.engine = false
    t.value:close()
  end,
  check = function(t)
    assert(t.engine or not t.transfer or t.transfer:done())
  end,
}

local MOVIE = ("movie "):rep(300)

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function download(t, part, offset)
  open(t)
  write(t.path, part)
  t.transfer, t.failure = submit(t, { url = URL, timeout = 5,
    redirects = 2, headers = { Range = "bytes=" .. offset .. "-" },
    sink = { path = t.path, offset = offset, sync = true, etag = '"a"',
      modified = "Sat, 21 Nov 2026 07:00:00 GMT", total = #MOVIE,
      notes = t.path .. ".json", before = ("0"):rep(64) } })
  go(t)
end

local function check_file(t)
  finish(t)
  local response = t.response
  if response then
    local file = assert(io.open(t.path, "rb"))
    assert(file:read "*a" == MOVIE, "the file is not whole")
    file:close()
    assert(response.file_offset + response.file_bytes == #MOVIE)
    assert(response.sha256 == nil or #response.sha256 == 64)
  elseif t.failure then
    assert_short(t)
  end
end

scenarios["a file is downloaded"] = {
  short_of = { "ours", "lua", "curl", "crypto" },
  answer = answer("200 OK", MOVIE, "Content-Type: video/mp4\r\n"),
  run = function(t)
    download(t, "", 0)
  end,
  check = check_file,
}

scenarios["a download goes on"] = {
  short_of = { "ours", "lua", "curl", "crypto" },
  answer = answer("206 Partial Content", MOVIE:sub(7), ("Content-Range: bytes"
    .. " 6-%d/%d\r\nETag: \"a\"\r\n"):format(#MOVIE - 1, #MOVIE)),
  run = function(t)
    download(t, MOVIE:sub(1, 6), 6)
  end,
  check = check_file,
}

local function exists(path)
  local file = io.open(path, "rb")
  return file and file:close() ~= nil
end

-- A file is under the one name or the other, and which of them is told.
scenarios["a file gets its name"] = {
  short_of = { "ours", "lua", "crypto" },
  begin = function(t)
    t.other = t.path .. ".part"
    write(t.other, MOVIE)
    t.value = require "starvideos.curl"
  end,
  run = function(t)
    t.again, t.failure = t.value.disk("sha256", t.other)
    t.ok = "begun"
    t.ok, t.failure = t.value.disk("commit", t.other, t.path, #MOVIE)
  end,
  check = function(t)
    local placed = exists(t.path)
    assert(placed ~= exists(t.other), "the file is gone, or there twice")
    assert(placed or t.ok ~= true, "the file did not get its name")
    assert(not placed or t.ok, "told that the file did not get its name")
    assert(not t.again or #t.again == 64)
    os.remove(t.other)
  end,
}

-- The same by a thread. What it was handed over ends, and comes out once.
local function await(t, ticket)
  for _ = 1, 100 * STEPS do
    if ticket:done() then
      return
    end
    t.pause()
  end
  error("the ticket does not end", 0)
end

-- A ticket that memory was too short to hand back may still be under way.
local function await_next(t)
  for _ = 1, 100 * STEPS do
    if t.driver:take() then
      return
    end
    t.pause()
  end
  error("a ticket did not come out", 0)
end

local function open_driver(t)
  t.driver = require "starvideos.curl".network { ca_file = "/dev/null" }
end

local function hand_over(t, name, ...)
  local ticket, failure = t.driver[name](t.driver, ...)
  if ticket then
    t.tickets[#t.tickets + 1] = ticket
  else
    t.failure = failure
  end
  return ticket
end

local function end_driver(t)
  if not t.driver then
    return
  end
  for _, ticket in ipairs(t.tickets) do
    if ticket then
      await(t, ticket)
    end
  end
  for _ = 1, t.driver:in_flight() do
    await_next(t)
  end
  assert(t.driver:in_flight() == 0 and not t.driver:ready())
  t.driver:close()
end

-- Its result was taken: there is no other.
local function forget(t, taken)
  for index, ticket in ipairs(t.tickets) do
    t.tickets[index] = ticket ~= taken and ticket
  end
end

scenarios["a thread sends an order"] = {
  short_of = { "ours", "lua", "curl" },
  answer = CREATED,
  begin = function(t)
    t.tickets = { nil, nil }
  end,
  run = function(t)
    open_driver(t)
    t.transfer = hand_over(t, "submit", order)
    if t.transfer then
      await(t, t.transfer)
      t.value = t.transfer:answer()
      t.response, t.failure = t.transfer:result()
    end
  end,
  check = function(t)
    end_driver(t)
    local arrived, posts = t.arrived()
    assert(posts <= 1, "the order was sent twice")
    assert(arrived == 0 or t.response or not t.failure or t.failure.sent)
    if t.response then
      assert(t.response.body:find "video_1")
      assert(not t.value or t.value == 200)
    elseif t.failure then
      assert_short(t)
    end
  end,
}

scenarios["a thread downloads, and sees to files"] = {
  short_of = { "ours", "lua", "curl", "crypto" },
  answer = answer("200 OK", MOVIE, "Content-Type: video/mp4\r\n"),
  begin = function(t)
    t.tickets = { nil, nil, nil, nil }
    t.other = t.path .. ".part"
  end,
  run = function(t)
    open_driver(t)
    hand_over(t, "disk", "write", t.other, MOVIE, "wb")
    t.again = hand_over(t, "disk", "read", t.other)
    t.ok = hand_over(t, "disk", "sha256", t.other)
    t.transfer = hand_over(t, "submit", { url = URL, timeout = 5,
      sink = { path = t.path, sync = true } })
    for _, ticket in ipairs(t.tickets) do
      await(t, ticket)
    end
    t.value = t.again and t.again:result()
    forget(t, t.again)
    t.response = t.transfer and t.transfer:result()
    forget(t, t.transfer)
  end,
  check = function(t, ok)
    end_driver(t)
    assert(not t.value or t.value == MOVIE or t.value == "")
    if t.response then
      local file = assert(io.open(t.path, "rb"))
      assert(file:read "*a" == MOVIE, "the file is not whole")
      file:close()
    end
    for _, ticket in ipairs(t.tickets) do
      if ticket then
        local result, failure = ticket:result()
        assert(result or failure.reason)
      end
    end
    assert(not ok or #t.tickets == 4 or t.failure)
    os.remove(t.other)
  end,
}

-- Whoever is told that he has the lock has it, and nobody else once all is
-- dropped.
scenarios["a target is locked"] = {
  short_of = { "ours", "lua" },
  begin = function(t)
    t.tickets = { nil, nil }
    t.other = t.path .. ".lock"
    t.value = require "starvideos.curl"
  end,
  run = function(t)
    open_driver(t)
    t.transfer = hand_over(t, "disk", "lock", t.other)
    if t.transfer then
      await(t, t.transfer)
      t.again, t.failure = t.transfer:result()
    end
    t.transfer = t.again and hand_over(t, "disk", "unlock", t.again)
    if t.transfer then
      await(t, t.transfer)
    end
    t.ok, t.failure = t.value.disk("lock", t.other)
  end,
  check = function(t)
    end_driver(t)
    if t.ok then
      assert(exists(t.other), "told of a lock that is not there")
    end
    t.tickets, t.transfer, t.again, t.ok = false, false, false, false
    collectgarbage()
    collectgarbage()
    assert(not exists(t.other), "the lock was left behind")
    t.ok = assert(t.value.disk("lock", t.other))
    assert(t.value.disk("unlock", t.ok))
  end,
}

-- Not of libcurl's: the thread may not have come to it by then.
scenarios["a driver is closed on what is under way"] = {
  short_of = { "ours", "lua" },
  answer = CREATED,
  begin = function(t)
    t.tickets = { nil, nil, nil }
  end,
  run = function(t)
    open_driver(t)
    hand_over(t, "submit", order)
    hand_over(t, "disk", "read", "/dev/null")
    t.transfer = hand_over(t, "submit", { url = URL, timeout = 5 })
    if t.transfer then
      t.transfer:cancel()
    end
    t.driver:listen()
    t.value = t.driver
    t.driver = false
    t.value:close()
  end,
  check = function(t)
    end_driver(t)
    for _, ticket in ipairs(t.tickets) do
      assert(ticket:done())
    end
    local _, posts = t.arrived()
    assert(posts <= 1)
  end,
}

-- Whatever an actor was short of, it answers the next message.
local SOURCE = [[
local setup = ...
local undone = 0
return function(...) return setup.word, undone, ... end,
  function() undone = undone + 1 end, function() return -1 end,
  function() end]]

local function post(t, kept, ...)
  local message, why = t.driver:post(kept, ...)
  if message then
    t.tickets[#t.tickets + 1] = message
  else
    t.failure = why
  end
  return message
end

local function start(t)
  t.driver = require "starvideos.core".actor { source = SOURCE,
    setup = { word = "heard" }, fork_seconds = 1 }
end

-- A state of Lua 5.1 that is short of memory when it begins closes the
-- process's standard files, and LuaJIT falls over.
local BEGINS_BADLY = _VERSION == "Lua 5.1"

scenarios["a thread answers messages"] = {
  short_of = { "ours", "lua" },
  begin = function(t)
    t.tickets = { nil, nil, nil }
    t.other = { "text", { list = { 1, 2.5, true } } }
    if t.source == "lua" and BEGINS_BADLY then
      start(t)
      await(t, t.driver:post(false))
    end
  end,
  run = function(t)
    if not t.driver then
      start(t)
    end
    t.again = post(t, true, t.other, ("long "):rep(300))
    t.transfer = post(t, false, "given up")
    if t.transfer then
      t.transfer:give_up()
    end
    t.transfer = post(t, false, "last")
    for _, message in ipairs(t.tickets) do
      await(t, message)
    end
    t.value = t.again and { t.again:result() }
  end,
  check = function(t, ok)
    if not t.driver then
      return
    end
    for _, message in ipairs(t.tickets) do
      await(t, message)
      local heard, what = message:result()
      assert(heard or what == "given up" or what == "not enough memory", what)
    end
    local message = assert(t.driver:post(false, "fine"))
    await(t, message)
    local heard, word, _, fine = message:result()
    assert(heard and word == "heard" and fine == "fine", word)
    for _ = 1, t.driver:in_flight() do
      await_next(t)
    end
    if t.value and t.value[1] then
      assert(t.value[4][2].list[2] == 2.5 and #t.value[5] == 1500)
    end
    assert(not ok or #t.tickets == 3 or t.failure:find "memory")
    t.driver:close(10)
  end,
}

-- The ticket has ended by then.
local function refused(t, req)
  local ticket, failure = submit(t, req)
  if ticket then
    return ticket:result()
  end
  return nil, failure
end

scenarios["a request is refused"] = {
  short_of = { "ours", "lua", "curl" },
  run = function(t)
    open(t)
    t.value = { refused(t, { url = "no url" }) }
    t.other = { refused(t, { url = "http://example.com/" }) }
    t.again = { refused(t, { url = URL, headers = { ["a b"] = "x" } }) }
    t.ok = { refused(t, { url = URL, sink = { path = "/no/where" } }) }
  end,
  check = function(t, ok, arrived)
    finish(t)
    assert(arrived == 0)
    for _, pair in ipairs { t.value or {}, t.other or {}, t.again or {},
      t.ok or {} } do
      assert(not pair[1], "what must be refused was begun")
    end
    assert(not ok or t.ok[2].reason == "io" or t.source == "curl")
  end,
}

local params = { model = "starvideos_o3", prompt = "a city" }

local function buy(t)
  return t.client:create(params, { key = "scene-1" })
end

local function open_client(t)
  local now = 0
  t.client = require "starvideos".new { api_key = "key", timeout = 5,
    base_url = "http://127.0.0.1", ledger = t.path .. ".db",
    clock = function()
      return now
    end,
    sleep = function(seconds)
      now = now + seconds
    end }
end

-- Whatever the first call came to, the same call again buys nothing twice, and
-- what was bought is known, or known to be unknown.
scenarios["an order is recorded"] = {
  short_of = { "ours", "lua", "curl" },
  answer = CREATED,
  begin = function(t)
    open_client(t)
    t.client:pending()
  end,
  run = function(t)
    t.value, t.failure = buy(t)
  end,
  check = function(t, ok, _, posts)
    assert(posts <= 1, "the order was sent twice")
    assert(not ok or t.value or t.failure.kind, "neither a task nor an error")
    assert(posts == 0 or not t.failure or t.failure.kind == "outcome_unknown"
      or t.failure.task_id, "an order that arrived: " .. tostring(t.failure))
    t.client:close()
    collectgarbage()
    open_client(t)
    local again, why = buy(t)
    t.client:close()
    local _, all = t.arrived()
    assert(all <= 1, "the key was bought twice")
    assert(again and all == 1 and again.id == "video_1"
      or why.kind == "outcome_unknown", "lost: " .. tostring(why))
    assert(not t.value or again, "a task was known and is not")
  end,
}

return scenarios
