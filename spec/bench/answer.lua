-- What an answer as long as `max_answer`, or one that is cut there, costs the frame
-- that takes it: in a game, the longest update of a query.

local core = require "starvideos.core"
local curl = require "starvideos.curl"
local figure = require "spec.bench.figure"
local starvideos = require "starvideos"

local pause = curl.network { inline = true } -- without transfers it sleeps

local ROUNDS, BYTES, FRAME = 15, 256 * 1024, 1 / 120

local HEAD = '{"id":"video_1","status":"processing","x":'
local shapes = {
  { "text", '"', "a kite ", '"}' },
  { "escapes", '"', "\\n\\u4f60", '"}' },
  { "numbers", "[", "1,", "1]}" },
  { "objects", "[", '{"id":1,"name":"a"},', "1]}" },
  { "flaw", '"', "\\q", '"}' },
  { "status", '"","status":"', "ab ", '"}' },
  { "progress", '"","progress":"', " ", '"}' },
  { "cut_text", '"', "a kite ", "" },
  { "cut_numbers", "[", "1,", "" },
}

local function body_of(shape, bytes)
  local before, unit, behind = HEAD .. shape[2], shape[3], shape[4]
  return before .. unit:rep(math.floor((bytes - #before - #behind) / #unit))
    .. behind
end

-- Milliseconds of the longest update until the query has ended.
local function longest(client)
  local handle, most = client:async(client.query, client, "video_1"), 0
  while not handle.done do
    pause:step(FRAME)
    local from = core.now()
    client:update()
    most = math.max(most, core.now() - from)
  end
  assert(handle.result, tostring(handle.err))
  return most * 1e3
end

return function(server)
  local all = true
  assert(os.execute(("mkdir -p '%s/answers/v1/result'"):format(server.folder)))
  for _, shape in ipairs(shapes) do
    server:serve("answers/v1/result/video_1",
      body_of(shape, shape[4] == "" and 4 * BYTES or BYTES))
    local client = assert(starvideos.new { api_key = "key", runtime = "frame",
      base_url = server.url .. "/answers" })
    local values = {}
    for round = 1, ROUNDS do
      values[round] = longest(client)
    end
    client:close()
    all = figure.print("answer_" .. shape[1], figure.median(values), "ms", "< 5")
      and all
  end
  return all
end
