-- A process that downloads one file and prints by how many megabytes its
-- peak of memory rose over that of a small download.
--
--   lua5.4 spec/bench/download_once.lua URL SMALL_URL PATH

local starvideos = require "starvideos"

local url, small_url, path = arg[1], arg[2], arg[3]

local function peak()
  for line in io.lines("/proc/self/status") do
    local kilobytes = line:match("^VmHWM:%s*(%d+)")
    if kilobytes then
      return tonumber(kilobytes) / 1024
    end
  end
end

local client = assert(starvideos.new { api_key = "key", private_links = true })

local function fetch(from)
  assert(client:download({ id = "video_1", status = "completed",
    video_url = from }, path, { overwrite = true }))
end

fetch(small_url)
local before = peak()
fetch(url)
io.write(peak() - before)
