-- The binding of libcurl that Debian packages as lua-curl. It has no multi handle
-- and cannot tell a status, but fails where that is one of an error.

local cjson = require "cjson"
local curl = require "curl"
local stopwatch = require "spec.bench.peers.stopwatch"

local url, key = arg[1], arg[2]

local function one_by_one(count)
  local parts
  local easy = curl.easy_init()
  easy:setopt(curl.OPT_URL, url)
  easy:setopt(curl.OPT_FAILONERROR, 1)
  easy:setopt(curl.OPT_HTTPHEADER, { "Authorization: Bearer " .. key })
  easy:setopt(curl.OPT_WRITEFUNCTION, function(part)
    parts[#parts + 1] = part
    return #part
  end)
  for _ = 1, count do
    parts = {}
    assert(easy:perform())
    assert(cjson.decode(table.concat(parts)).id == "video_1")
  end
end

stopwatch {
  version = function()
    return "lua-curl 0.3.0, " .. curl.version():match "^%S+ %S+"
  end,
  one_by_one = one_by_one,
}
