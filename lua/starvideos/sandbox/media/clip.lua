--- Clips: the MP4 file of a task.
-- @module starvideos.sandbox.media.clip

local _M = {}

-- The shorter side is 720 pixels.
local SIZES = {
  ["21:9"] = { 1680, 720 }, ["16:9"] = { 1280, 720 }, ["4:3"] = { 960, 720 },
  ["1:1"] = { 720, 720 }, ["3:4"] = { 720, 960 }, ["9:16"] = { 720, 1280 },
}

--- Width and height for a ratio.
-- @tparam string ratio
-- @treturn number width in pixels
-- @treturn number height in pixels
function _M.size(ratio)
  local size = SIZES[ratio]
  return size[1], size[2]
end

--- The documented ratio that comes nearest to a picture.
-- @tparam number width
-- @tparam number height
-- @treturn string
function _M.nearest(width, height)
  local best, least
  for ratio, size in pairs(SIZES) do
    local distance = math.abs(math.log(width / height * size[2] / size[1]))
    if not least or distance < least then
      best, least = ratio, distance
    end
  end
  return best
end

local function number(bytes)
  local value = 0
  for i = 1, #bytes do
    value = value * 256 + bytes:byte(i)
  end
  return value
end

-- Leaves the file at the content of the box, or returns nil.
local function enter(file, wanted)
  while true do
    local head = file:read(8)
    if not head or #head < 8 then
      return nil
    end
    local size, kind = number(head:sub(1, 4)), head:sub(5, 8)
    if kind == wanted then
      return true
    end
    if size < 8 then
      return nil
    end
    file:seek("cur", size - 8)
  end
end

--- How long an MP4 file plays, as its movie header says.
-- @tparam string path
-- @treturn ?number seconds; nil if there is no such file or it is not an MP4
function _M.seconds(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local header
  if enter(file, "moov") and enter(file, "mvhd") then
    header = file:read(20)
  end
  file:close()
  if not header or #header < 20 or header:byte(1) ~= 0 then
    return nil
  end
  return number(header:sub(17, 20)) / number(header:sub(13, 16))
end

--- Where the bundled clip lies: beside this module.
-- @treturn string path
function _M.bundled_path()
  local source = debug.getinfo(1, "S").source
  return (source:gsub("^@", ""):gsub("[^/\\]*$", "")) .. "clip.mp4"
end

local Bundled = {}
Bundled.__index = Bundled

--- A set of clips that is one file for every task.
-- A set of clips has two methods: `order(task)` asks for the clip of a task,
-- `find(task)` gives its path once it is there.
-- @tparam ?string path default: the bundled clip
-- @treturn table
function _M.same(path)
  return setmetatable({ path = path or _M.bundled_path() }, Bundled)
end

-- There is nothing to order: the clip exists.
function Bundled:order()
  return self.path
end

function Bundled:find()
  return self.path
end

return _M
