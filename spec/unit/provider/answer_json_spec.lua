local answer_json = require "starvideos.provider.answer_json"
local json = require "starvideos.base.json"
local operations = require "starvideos.provider.operations"
local task_reader = require "starvideos.provider.answer"

local ID = "video_1"
local RIGHT = '{"id":"video_1","object":"video","status":"queued","error":null}'

local function http(body, status)
  return { status = status or 200, headers = {}, body = body }
end

local function create(body, status)
  return task_reader.read(operations.create, http(body, status))
end

local function query(body)
  return task_reader.read(operations.query, http(body), nil, ID)
end

-- A task with some JSON in it.
local function with(more)
  return (RIGHT:gsub("}$", function() return ',"x":' .. more .. "}" end))
end

local function utf16(text, big)
  return (text:gsub(".", big and "\0%0" or "%0\0"))
end

local flaws = {
  { "the first half of an emoji", with [["a \ud83d"]], "a \239\191\189" },
  { "the second half of an emoji", with [["\uDE00 b"]], "\239\191\189 b" },
  { "a half before a whole emoji", with [["\ud83d\ud83d\ude00"]],
    "\239\191\189😀" },
  { "a half, and a backslash that hides none", with [["\ud83d\\ud83d"]],
    "\239\191\189\\ud83d" },
  { "halves within a name", with [[{"\ud83d":1}]],
    { ["\239\191\189"] = 1 } },
  { "an escape that is cut", with [["\u12"]], "\239\191\189" },
  { "an unknown escape", with [["\q"]], "\239\191\189q" },
  { "a NUL", with '"a\0b"', "a\239\191\189b" },
  { "a line break and NaN", with '["a\nb",NaN]', { "a\nb" } },
  { "NaN", with "NaN" }, { "nan", with "nan" },
  { "minus infinity", with "-Infinity" }, { "inf", with "inf" },
  { "what Windows writes for NaN", with "-nan(ind)" },
  { "what older Windows write for infinity", with "1.#INF" },
  { "a byte order mark", "\239\187\191" .. RIGHT },
  { "a byte order mark before blanks", "\239\187\191\r\n " .. RIGHT },
  { "UTF-16 with a mark", "\255\254" .. utf16(with '"é"'):gsub("\195%z\169%z",
    "\233\0"), "é" },
  { "UTF-16 with the other mark", "\254\255" .. utf16(RIGHT, true) },
  { "UTF-16 without a mark", utf16(RIGHT) },
  { "UTF-16 with half an emoji", utf16(with '"?"'):gsub("%?%z", "\61\216"),
    "\239\191\189" },
  { "a comment behind it", RIGHT .. "\n<!-- 3 ms -->" },
  { "a brace behind it", RIGHT .. "}" },
  { "another object behind it", RIGHT .. '{"id":"video_2"}' },
  { "megabytes behind it", RIGHT .. ("x"):rep(3000000) },
  { "bytes that are no UTF-8, and NaN", with '["\255\254",NaN]',
    { "\255\254" } },
  { "GBK with a backslash", with '"\149\\"', "\239\191\189" },
  { "500 levels", with(("["):rep(500) .. ("]"):rep(500)), false },
  { "500 levels of objects", with(('{"a":'):rep(500) .. "1" .. ("}"):rep(500)),
    false },
}

describe("an answer with", function()
  for _, case in ipairs(flaws) do
    it(case[1] .. " is read by create and query, and strictly refused", function()
      local task = assert(create(case[2]))
      assert.equal(ID, task.id)
      assert.equal("queued", task.status)
      assert.equal("queued", assert(query(case[2])).status)
      if case[3] ~= false then
        assert.same(case[3], task.raw.x)
      end
      local _, flaw = answer_json.decode(case[2])
      assert.is_string(flaw)
      assert.is_string((select(2, json.decode(case[2]))))
    end)

    it(case[1] .. " tells that a task has failed", function()
      local body = case[2]:gsub("q(%z?)u(%z?)e(%z?)u(%z?)e(%z?)d",
        "f%1a%2i%3l%4e%5d")
      local _, err = create(body)
      assert.equal("task_failed", err.kind)
      assert.equal("failed", assert(query(body)).status)
    end)
  end

  it("a flaw that refuses is a refusal", function()
    for _, text in ipairs { [["Parameter conflict \ud83d"]],
      '"Parameter conflict" }, {', '"Parameter conflict","x":NaN' } do
      local _, err = create('{"id":null,"object":"error","error":' .. text .. "}")
      assert.equal("invalid_request", err.kind)
    end
  end)

  it("its fields twice keeps the id of either", function()
    local _, err = create '{"id":"video_1","status":"queued","id":null}'
    assert.equal(ID, err.task_id)
    assert.equal(ID, assert(create
      '{"id":null,"status":"queued","id":"video_1"}').id)
  end)
end)

describe("an answer that is cut", function()
  it("names its task as soon as the id came whole", function()
    for _, body in ipairs { RIGHT, '{"code":0,"data":{"status":"queued","id":'
      .. '"video_1","model":"videos"}}', '{"result":{"projectId":"video_1"}}' } do
      local whole = select(2, body:find('"video_1"', 1, true))
      for length = 0, #body - 1 do
        local task, err = create(body:sub(1, length))
        assert.is_nil(task)
        assert.equal("outcome_unknown", err.kind)
        assert.equal(length >= whole and ID or nil, err.task_id)
      end
      assert.equal(ID, assert(create(body)).id)
    end
  end)

  it("says in its message which task it names", function()
    local _, err = create(RIGHT:sub(1, -5))
    assert.truthy(err.message:find("names task video_1", 1, true))
  end)

  it("names it where it says a task is under way, at any status", function()
    for _, status in ipairs { 400, 403, 429, 500, 502, 303 } do
      local _, err = create('{"id":"video_1","object":"video","stat', status)
      assert.equal("outcome_unknown", err.kind)
      assert.equal(ID, err.task_id)
    end
    assert.equal("invalid_request", select(2, create('{"id":"req_1","err',
      400)).kind)
  end)

  it("is a protocol error to a query", function()
    local _, err = query(RIGHT:sub(1, -5))
    assert.equal("protocol", err.kind)
  end)
end)

describe("an answer that nobody can read", function()
  local named = {
    '{"id":"video_1","status":queued}', '{"status":queued,"id":"video_1"}',
    '{"id" : "video_1",,}',
    '{"code":0,"data":{"id":"video_1","status":queued}}',
    '[{"id":"video_1"}]', "{'status':'queued',\"id\":\"video_1\"}",
    '{"id":"video_1","error":"a "kite" flies"}',
    '{"id":"video\\u005f1","status":queued}',
    '\239\187\191{"id":"video_1","status":}',
  }
  for _, body in ipairs(named) do
    it("keeps the id of " .. body, function()
      local _, err = create(body)
      assert.equal("outcome_unknown", err.kind)
      assert.equal(ID, err.task_id)
    end)
  end

  local unnamed = {
    [["prompt was {\"id\":\"video_1\"}"]],
    [[{"error":"prompt was {\"id\":\"video_1\"}"]],
    [[{"error":"prompt was \",\"id\":\"video_1\",\""]],
    [[{"error":"prompt was {"id":"video_1"}","status":]],
    [[{"error":"5" wide, "id":"video_1" it said"]],
    [[{"error":"say "a", "id":"video_1" please"}]],
    [[{"error":{"id":"video_1","message":"no]],
    [[{"request":{"id":"video_1"},"status":queued}]],
    [[{"data":[{"id":"video_1"}],"status":queued}]],
    [[{"data":{"item":{"id":"video_1"},"status":queued}}]],
    [[<div data='{"id":"video_1"}'>]], [[prompt was: {"id":"video_1"}]],
    [[{"old_id":"video_1","status":queued}]], [[{"id":"video_1]],
    [[{"id":12345]], [[{"id":["video_1"],"status":queued}]],
    [[{"id":"video\u0000_1","status":queued}]], [[{"id":" ","status":queued}]],
    [[{"id":"video_1","object":"error","status":queued}]],
  }
  for _, body in ipairs(unnamed) do
    it("names no task in " .. body, function()
      local _, err = create(body)
      assert.equal("outcome_unknown", err.kind)
      assert.is_nil(err.task_id)
    end)
  end

  local long = { "\n", "\ndata: ", "\n{",
    "[", '"', "\\", '{"a":', '"a":', "\\u", '\\"', ",", "{}", "}",
    "\0", "\255", "\149\\", "a ", '["', '{"id":"a",', "NaN,", "1", "\\ud83d",
    '"id":', '"id"' }
  for _, piece in ipairs(long) do
    it(("takes little time where it is %q as long as it may be"):format(piece),
      function()
        local began = os.clock()
        for _, start in ipairs { "", "{", '{"', '{"id":"a","b":"' } do
          create(start .. piece:rep(math.floor(262144 / #piece)))
        end
        assert.is_true(os.clock() - began < 2.5, os.clock() - began)
      end)
  end
end)

describe("a long field", function()
  local LONG = 200000

  local function read(field, text)
    return task_reader.read(operations.query, http('{"id":"video_1","status":"queued"'
      .. ',"' .. field .. '":"' .. text .. '"}'), nil, ID)
  end

  it("is none where it is longer than any link or number", function()
    assert.is_nil(assert(read("video_url", "https://a/" .. ("b"):rep(LONG))).video_url)
    assert.is_nil(assert(read("progress", ("1"):rep(LONG))).progress)
    assert.equal("https://a/" .. ("b"):rep(4000),
      assert(read("video_url", "https://a/" .. ("b"):rep(4000))).video_url)
  end)

  it("is cut where it is the status", function()
    local task = assert(query('{"id":"video_1","status":"' .. ("so "):rep(LONG) .. '"}'))
    assert.is_true(#task.status < 80)
    assert.is_nil((query('{"id":"video_1","status":"' .. (" "):rep(LONG) .. '"}')))
  end)
end)

describe("a long answer", function()
  local TEXT = ("a kite, at sea and on the shore "):rep(4000)
  local HEAD = '{"id":"video_1","status":"failed","error":"no"'

  it("with few values is decoded whole", function()
    local answer = answer_json.decode(HEAD .. ',"x":{"y":"' .. TEXT .. '"}}')
    assert.equal(TEXT, answer.x.y)
  end)

  for what, rest in pairs {
    ["many values"] = ',"x":[' .. ("1,"):rep(50000) .. "1]}",
    ["many objects"] = ',"x":[' .. ('{"id":"video_2"},'):rep(9000) .. "1]}",
    ["a flaw"] = ',"x":"' .. TEXT .. '\\q"}',
    ["no end"] = ',"x":"' .. TEXT,
    ["megabytes behind it"] = "}" .. TEXT:rep(30),
    ["GBK"] = ',"x":"' .. ("\149\\"):rep(50000) .. '"}',
  } do
    it("with " .. what .. " has the fields at its top", function()
      local answer, flaw = answer_json.decode(HEAD .. rest)
      assert.same({ id = "video_1", status = "failed", error = "no" }, answer)
      assert.is_string(flaw)
    end)
  end

  it("has a number as its id as it came", function()
    for shape, id in pairs {
      ['{"id":12345678901234567890,"x":"%s"}'] = "12345678901234567890",
      ['{"x":"%s","id":1e3}'] = "1e3",
      ['{"code":0,"data":{"projectId":12345678901234567891},"x":"%s"}'] =
        "12345678901234567891",
      ['{"result":{"id":7,"n":12345678901234567890},"x":"%s"}'] = "7",
    } do
      local body = shape:format(TEXT .. ('\\"id\\":1,'):rep(99))
      assert.equal(id, assert(create(body)).id)
    end
  end)

  it("may have a name twice", function()
    local _, err = create('{"data":5,"data":{"id":12345678901234567890},"x":"'
      .. TEXT .. '"}')
    assert.equal("outcome_unknown", err.kind)
  end)

  it("has a field behind a long text", function()
    local answer = answer_json.decode('{"error":"' .. ('\\"\\\\\\n'):rep(900)
      .. TEXT .. '\\\\","id":"video_1","n":1\\}')
    assert.equal("video_1", answer.id)
    assert.equal('"\\\n"', answer.error:sub(1, 4))
  end)

  it("has no field of an object that is deeper, or quoted", function()
    local answer = answer_json.decode('{"x":{"id":"video_2"},"list":[{"id":"a"}],'
      .. '"y":"{\\"id\\":\\"video_3\\"}","status":"queued","z":"' .. TEXT)
    assert.same({ status = "queued" }, answer)
  end)

  it("is none where something else stands before it", function()
    assert.is_nil((answer_json.decode("\n<p>" .. HEAD .. ',"x":"' .. TEXT)))
    assert.is_nil((answer_json.decode('error: "no"\n' .. HEAD .. ',"x":"' .. TEXT)))
  end)
end)

describe("an id that is a number", function()
  for _, id in ipairs { "1.5", "1e3", "-7", "123", "0.1", "1E+2",
    "12345678901234567890", "1234567890123456" } do
    it("is kept as it came: " .. id, function()
      for _, shape in ipairs { '{"id":%s,"status":"queued"}',
        '{"code":0,"data":{"id": %s}}', '{"status":"queued","id":%s,"x":NaN}',
        '{"data":{"projectId":%s}} junk' } do
        assert.equal(id, assert(create(shape:format(id))).id)
      end
      local _, err = create('{"id":' .. id .. ',"status":queued}')
      assert.equal(id, err.task_id)
    end)
  end

  it("is none where it cannot be written as it came", function()
    local task, err = create [[{"i\u0064":1.5,"status":"queued"}]]
    assert.is_nil(task)
    assert.equal("outcome_unknown", err.kind)
    assert.equal("1.5", err.task_id)
    err = select(2, create [[{"i\u0064":12345678901234567891,"status":"queued"}]])
    assert.equal("12345678901234567891", err.task_id)
  end)

  it("leaves other numbers alone", function()
    local task = assert(create '{"id":1.5,"status":"queued","amount":0.5}')
    assert.equal(0.5, task.raw.amount)
  end)
end)
