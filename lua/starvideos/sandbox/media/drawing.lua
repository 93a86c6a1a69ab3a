--- Clips that ffmpeg draws: the prompt on a moving test picture.
-- Ordered at a create, drawn in the background a few at a time. The prompt
-- reaches ffmpeg through a file and nothing else, so that neither the shell
-- nor ffmpeg's filter language sees it.
-- @classmod starvideos.sandbox.media.drawing

local clip = require "starvideos.sandbox.media.clip"
local shell = require "starvideos.nginx.shell"
local text = require "starvideos.sandbox.text"

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

--- A set of clips, as `starvideos.sandbox.media.clip` describes it.
-- @tparam table options `store`; `directory`, absolute, where the clips go;
--   `fallback`, an MP4 file; `clock`; `run`, a function that starts a shell
--   command and does not wait for it
function Drawing.new(options)
  local drawing = { running = {} }
  for name, value in pairs(options) do
    drawing[name] = value
  end
  return setmetatable(drawing, Drawing)
end

function Drawing:path(id, ending)
  return ("%s/%s.%s"):format(self.directory, id, ending)
end

-- Letters are about half as wide as they are high.
local function font_size(width, height)
  return math.floor(math.min(width, height) / 20),
    math.floor(width * 0.9 / (math.min(width, height) / 20 * 0.62))
end

--- Have the clip of a task drawn.
-- @tparam table task
function Drawing:order(task)
  local width, height = clip.size(task.ratio)
  local size, columns = font_size(width, height)
  local file = assert(io.open(self:path(task.id, "txt"), "wb"))
  file:write(text.wrap(task.params.prompt, columns, LINES))
  file:close()
  self.store:push("drawings", table.concat({ task.id, width, height,
    task.seconds, size }, " "))
end

--- The clip of a task.
-- @tparam table task
-- @treturn ?string its path, once it is whole
function Drawing:find(task)
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
  local number = 0
  for _ in pairs(running) do
    number = number + 1
  end
  return number
end

--- Start what can be started; to be called every now and then, by one
-- process alone.
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

return Drawing
