-- Lua-cURL, version 3: an easy handle that is used again, and the loop of its
-- examples over a multi handle, which takes less than its iterator.

package.path = "build/peers/share/lua/5.4/?.lua;" .. package.path
package.cpath = "build/peers/lib/lua/5.4/?.so;" .. package.cpath

local cURL = require "cURL"
local cjson = require "cjson"
local stopwatch = require "spec.bench.peers.stopwatch"

local url, key = arg[1], arg[2]

local function prepare()
  local parts = {}
  return cURL.easy { url = url,
    httpheader = { "Authorization: Bearer " .. key },
    writefunction = function(part)
      parts[#parts + 1] = part
      return true
    end }, parts
end

local function read(easy, parts)
  assert(easy:getinfo_response_code() == 200)
  assert(cjson.decode(table.concat(parts)).id == "video_1")
  for index = #parts, 1, -1 do
    parts[index] = nil
  end
end

local function one_by_one(count)
  local easy, parts = prepare()
  for _ = 1, count do
    easy:perform()
    read(easy, parts)
  end
  easy:close()
end

-- Begins another wherever one has ended, and counts those.
local function collect(multi, parts_of, left)
  local ended = 0
  local easy, done, why = multi:info_read(true)
  while easy ~= 0 do
    assert(done, why)
    read(easy, parts_of[easy])
    if ended < left then
      multi:add_handle(easy)
    end
    ended = ended + 1
    easy, done, why = multi:info_read(true)
  end
  return ended
end

local function side_by_side(count, at_once)
  local multi, parts_of, ended = cURL.multi(), {}, 0
  for _ = 1, at_once do
    local easy, parts = prepare()
    parts_of[easy] = parts
    multi:add_handle(easy)
  end
  while ended < count do
    multi:wait()
    multi:perform()
    ended = ended + collect(multi, parts_of, count - at_once - ended)
  end
  multi:close()
end

stopwatch {
  version = function()
    return "Lua-cURL " .. cURL._VERSION .. ", " .. cURL.version():match "%S+"
  end,
  one_by_one = one_by_one,
  side_by_side = side_by_side,
}
