-- What others wrote costs in proportion to its length, whatever it looks like: four
-- times as much of it at most six times as much.

local answer_json = require "starvideos.provider.answer_json"
local callers = require "starvideos.gateway.callers"
local errors = require "starvideos.errors"
local files = require "spec.fixtures.files"
local http = require "starvideos.base.http"
local json = require "starvideos.base.json"
local link = require "starvideos.provider.address"
local locations = require "starvideos.ledger.location"
local manifest = require "starvideos.fleet.manifest"
local bodies = require "starvideos.gateway.body"
local operations = require "starvideos.provider.operations"
local record = require "starvideos.ledger.record"
local redact = require "starvideos.base.redact"
local workers = require "starvideos.gateway.worker"
local retry = require "starvideos.provider.retry"
local sandbox = require "starvideos.sandbox"
local task_reader = require "starvideos.provider.answer"
local tasks = require "starvideos.base.task"
local utf8 = require "starvideos.base.utf8"

-- A beginning, what is repeated, and an end.
local SHAPES = {
  { "", "a" }, { "x", " ", "x" }, { "http://", "a" }, { "", "http://" },
  { "http://", "a@" }, { "http://", "a", "@h" }, { "http://a:", "b:" },
  { "http://a/", "?" }, { "", "://" },
  { "", '"' }, { "", "\\" }, { "<", "<a " }, { "", "a=b;" }, { "", "%41" },
  { "", "é" }, { "", "\n" }, { "", "1." }, { "", "password=" }, { "", "a:b@" },
  { "", "[" }, { '{"', '{"id":' }, { "", "\t\r" }, { "", "\237\160" },
  { "balance", " " },
  { "", "balance " }, { "data: ", "data: {\n" }, { "", "--b\r\n" },
  { "", "(" }, { "", "\27" }, { "", "\226\128\174" },
}

local provider = sandbox.new { key = "a-key" }

-- To write the answer costs more page faults the larger it is, and counts once.
local function as_answer(field)
  local written = {}
  return function(text)
    written[text] = written[text] or json.encode { [field] = utf8.repaired(text) }
    local body = written[text]
    for _, operation in ipairs { operations.create, operations.query } do
      for _, status in ipairs { 200, 400 } do
        local _, err = task_reader.read(operation, { status = status, headers = {},
          body = body, ordered = '{"prompt":"a balance"}' })
        tostring(err)
      end
    end
  end
end

local READERS = {
  ["redact.urls"] = redact.urls, ["redact.url"] = redact.url,
  ["redact.text"] = redact.text, ["redact.address"] = redact.address,
  ["redact.key"] = function(text) redact.key(text, "abc/def\"ghi") end,
  ["redact.parts"] = function(text) redact.parts("a page", text) end,
  ["an error"] = function(text)
    errors.new { kind = "protocol", message = text, task = { error = text,
      video_url = text, raw = { text } } }
  end,
  ["a body"] = function(text)
    for _, operation in ipairs { operations.create, operations.query } do
      task_reader.read(operation, { status = 200, headers = {}, body = text })
      task_reader.read(operation, { status = 500, headers = { location = text },
        body = text })
    end
  end,
  ["fields of a body"] = answer_json.fields, ["JSON"] = answer_json.decode,
  ["an excerpt"] = http.preview, ["a status"] = tasks.status,
  ["a date"] = http.date,
  ["Retry-After"] = function(text)
    retry.retry_after({ ["retry-after"] = text, date = text }, os.time)
  end,
  ["an order's text"] = function(text)
    record.text({ prompt = text, error = text }, "a-key-of-ours")
  end,
  ["a base URL"] = link.normalise,
  ["a list of orders"] = manifest.read, ["a file of callers"] = callers.parse,
  ["a form"] = function(text) bodies.parts(text, "b") end,
  ["a content type"] = bodies.boundary,
  ["a token"] = function(text)
    for _, header in ipairs { text, "Bearer " .. text, "Bearer x" .. text } do
      provider:handle { method = "GET", path = "/kyyReactApiServer/v1/result/x",
        headers = { authorization = header } }
    end
  end,
  ["a line of a gateway's log"] = function(text)
    workers.line { name = "queue", state = "halted", reason = text }
    workers.line { name = "notice", reason = text }
  end,
  ["the address of a ledger"] = function(text)
    locations.read(text)
    locations.read("postgres://" .. text)
  end,
  ["a shown text"] = utf8.shown, ["a repaired text"] = utf8.repaired,
}
for _, field in ipairs { "id", "status", "error", "video_url" } do
  READERS["the field " .. field] = as_answer(field)
end

-- Seconds of the processor: less is quick enough, and not to be told from noise.
local FLOOR = 0.02

-- Of a hundredth of a second each; enough to compare.
local TICKS = 30

local function cost(reader, text)
  collectgarbage()
  local began = os.clock()
  pcall(reader, text)
  return os.clock() - began
end

-- Ticks of the processor without what the system takes, which gives a large text fresh
-- pages: the 14th field, of which the second is the program's name.
local function ticks()
  local stat = files.read "/proc/self/stat"
  return tonumber((stat:match("%) " .. ("%S+ "):rep(11) .. "(%d+)")))
end

local function own_cost(reader, text)
  local count, began = 0, ticks()
  repeat
    pcall(reader, text)
    count = count + 1
  until ticks() - began >= TICKS
  return (ticks() - began) / count
end

local function text_of(shape, kilobytes)
  return shape[1] .. shape[2]:rep(math.floor(kilobytes * 1024 / #shape[2]))
    .. (shape[3] or "")
end

-- How often 64 KB a text of 256 KB costs, each at its best; and no more than a first
-- look at one that grows with the square.
local function growth(reader, shape)
  local less, more = text_of(shape, 64), text_of(shape, 256)
  local little, much = math.huge, math.huge
  for _ = 1, 30 do
    little = math.min(little, cost(reader, less))
    if little > 1 then
      return little
    end
    much = math.min(much, cost(reader, more))
    if much < FLOOR or much / little <= 6 then
      return 1
    end
  end
  return own_cost(reader, more) / own_cost(reader, less)
end

describe("what others wrote costs no more than it is long:", function()
  for name, reader in pairs(READERS) do
    it(name, function()
      assert.is_function(reader)
      for _, shape in ipairs(SHAPES) do
        local times = growth(reader, shape)
        assert.is_true(times <= 6, ("%s%s…: %.1f times"):format(shape[1], shape[2],
          times))
      end
    end)
  end
end)
