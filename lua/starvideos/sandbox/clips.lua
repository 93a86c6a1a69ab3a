-- Clips: the MP4 file of a task.

local shell = require "starvideos.nginx.shell"
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- The shorter side is 720 pixels.
local SIZES = {
  ["21:9"] = { 1680, 720 }, ["16:9"] = { 1280, 720 }, ["4:3"] = { 960, 720 },
  ["1:1"] = { 720, 720 }, ["3:4"] = { 720, 960 }, ["9:16"] = { 720, 1280 },
}

function _M.size(ratio)
  local size = SIZES[ratio]
  return size[1], size[2]
end

-- The documented ratio that comes nearest to a picture.
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

-- How long an MP4 file plays, as its movie header says.
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

function _M.bundled_path()
  local source = debug.getinfo(1, "S").source
  return (source:gsub("^@", ""):gsub("[^/\\]*$", "")) .. "clip.mp4"
end

local Bundled = {}
Bundled.__index = Bundled

-- A set of clips has two methods: `order(task)` asks for the clip of a task,
-- `find(task)` gives its path once it is there. This one is one file for every task.
function _M.same(path)
  return setmetatable({ path = path or _M.bundled_path() }, Bundled)
end

function Bundled.order() end

function Bundled:find()
  return self.path
end

local Drawing = {}
Drawing.__index = Drawing

-- So many at once; a drawing that takes longer is given up.
local AT_ONCE = 2
local PATIENCE = 120

local FRAMES_PER_SECOND = 24
local LINES = 8

-- Without drawtext (no font, or an ffmpeg built without it) the picture stays
-- without the prompt; without an encoder it is the bundled clip. The clip
-- appears under its name only when it is whole.
local SCRIPT = [[
cd @directory@ || exit 1
draw() {
  nice -n 10 ffmpeg -nostdin -v error -y -f lavfi -i @picture@ "$@" \
    -c:v libx264 -preset superfast -crf 30 -pix_fmt yuv420p \
    -movflags +faststart -f mp4 @id@.part
}
draw -vf @filter@ || draw || cp @fallback@ @id@.part
mv @id@.part @id@.mp4
rm -f @id@.txt
]]

local FILTER = "drawtext=textfile=%s.txt:expansion=none:fontcolor=white"
  .. ":fontsize=%d:line_spacing=8:box=1:boxcolor=black@0.6:boxborderw=12"
  .. ":x=(w-text_w)/2:y=h*0.9-text_h"

-- Clips that ffmpeg draws in the background, a few at a time: the prompt on a moving
-- test picture. The prompt reaches ffmpeg only through a file, so that neither the shell
-- nor ffmpeg's filter language interprets it. Options: `store`; `directory`, absolute;
-- `fallback`, an MP4 file; `per_minute`, how many tasks of a minute are drawn, the others
-- have the fallback; `clock`; `run`, which starts a command and does not wait.
function _M.drawn(options)
  local drawing = { running = {} }
  for name, value in pairs(options) do
    drawing[name] = value
  end
  return setmetatable(drawing, Drawing)
end

function Drawing:path(id, ending)
  return ("%s/%s.%s"):format(self.directory, id, ending)
end

local function characters(text)
  local list, at = {}, 1
  while at <= #text do
    local width = utf8.length_at(text, at) or 1
    list[#list + 1] = text:sub(at, at + width - 1)
    at = at + width
  end
  return list
end

-- Breaks lines anywhere, because Chinese has no blanks; a character of three or more
-- bytes is two columns wide.
local function wrap(text, columns, lines)
  local done, line, used = {}, {}, 0
  for _, character in ipairs(characters((text:gsub("[%c%s]+", " ")))) do
    local width = #character >= 3 and 2 or 1
    if used + width > columns then
      done[#done + 1] = table.concat(line)
      line, used = {}, 0
    end
    if #done == lines then
      return table.concat(done, "\n")
    end
    line[#line + 1], used = character, used + width
  end
  done[#done + 1] = table.concat(line)
  return table.concat(done, "\n")
end

-- Letters are about half as wide as they are high.
local function font_size(width, height)
  return math.floor(math.min(width, height) / 20),
    math.floor(width * 0.9 / (math.min(width, height) / 20 * 0.62))
end

-- Marks a task that is one too many for its minute.
local function is_spared(self, task)
  local minute = math.floor(self.clock() / 60)
  local key = "drawn in minute "
  task.spared = self.store:count(key .. minute) > self.per_minute or nil
  self.store:set(key .. minute - 1, nil)
  return task.spared
end

function Drawing:order(task)
  if is_spared(self, task) then
    return
  end
  local width, height = _M.size(task.ratio)
  local size, columns = font_size(width, height)
  local file = assert(io.open(self:path(task.id, "txt"), "wb"))
  file:write(wrap(task.params.prompt, columns, LINES))
  file:close()
  self.store:push("drawings", table.concat({ task.id, width, height,
    task.seconds, size }, " "))
end

function Drawing:find(task)
  if task.spared then
    return self.fallback
  end
  local path = self:path(task.id, "mp4")
  local file = io.open(path, "rb")
  return file and file:close() and path
end

local function command(self, id, width, height, seconds, size)
  return shell.fill(SCRIPT, {
    directory = self.directory, fallback = self.fallback, id = id,
    picture = ("testsrc2=size=%sx%s:rate=%d:duration=%s"):format(width,
      height, FRAMES_PER_SECOND, seconds),
    filter = FILTER:format(id, size),
  })
end

local function finished(self)
  local now = self.clock()
  for id, since in pairs(self.running) do
    if self:find{ id = id } or now - since > PATIENCE then
      self.running[id] = nil
    end
  end
end

local function count(running)
  local total = 0
  for _ in pairs(running) do
    total = total + 1
  end
  return total
end

-- Start what can be started. One process calls this, every now and then.
function Drawing:step()
  finished(self)
  for _ = count(self.running) + 1, AT_ONCE do
    local position = (self.store:get "drawn" or 0) + 1
    local order = self.store:item("drawings", position)
    if not order then
      return
    end
    self.store:set("drawn", position)
    local id, width, height, seconds, size =
      order:match("^(%S+) (%S+) (%S+) (%S+) (%S+)$")
    self.running[id] = self.clock()
    self.run(command(self, id, width, height, seconds, size))
  end
end

return _M
