-- A task as the API answers it, brought to one form.

local c_locale = require "starvideos.base.c_locale"
local http = require "starvideos.base.http"
local json = require "starvideos.base.json"

---The status of a task; one that is not recognised is passed through.
---@alias starvideos.TaskStatus
---| "queued"
---| "processing"
---| "completed"
---| "failed"
---| "cancelled"
---| "expired"
---| "unknown"
---| string

---A task of the provider. What its answer leaves out is nil.
---@class starvideos.Task
---@field id? string the task's id
---@field object? string what the provider calls it: `video`
---@field created? number Unix seconds, by the provider's clock
---@field model? string the model
---`queued`, `processing`, `completed`, `failed`, `cancelled` or `expired`; else the
---provider's own word
---@field status? starvideos.TaskStatus
---@field progress? number per cent, where the provider tells it
---@field video_url? string the video's link, which expires
---@field actualDuration? number seconds that the video lasts
---what the provider charged, as it reported it, without a currency
---@field amount? number|string
---@field error? string why it failed
---@field raw? table the decoded answer; nil of a task that is remembered of an earlier poll

local _M = {}

-- Longer reasons and words are cut, longer links and numbers are none: to look at all
-- of what an answer may have holds up a frame.
local MOST_REASON, MOST_WORD, MOST_LINK, MOST_UNKNOWN = 4096, 64, 16384, 8

local mt = { __name = "starvideos.base.task" }

function mt:__tostring()
  local text = tostring(self.id) .. " " .. tostring(self.status)
  if self.progress then
    text = ("%s %s%%"):format(text, c_locale.number("%g", self.progress))
  end
  return text
end

-- Every known spelling, in lower case with spaces and dashes as underscores.
local words = {
  queued = { "queued", "queue", "in_queue", "pending", "submitted", "waiting",
    "created", "accepted", "not_started" },
  processing = { "processing", "running", "in_progress", "inprogress",
    "progress", "generating", "started" },
  completed = { "completed", "complete", "succeeded", "success", "succeed",
    "done", "finished" },
  failed = { "failed", "failure", "fail", "error" },
  cancelled = { "cancelled", "canceled" },
  -- No document knows it; other programs that use this provider end there.
  expired = { "expired" },
}

local status_of = {}
for status, spellings in pairs(words) do
  for _, spelling in ipairs(spellings) do
    status_of[spelling] = status
  end
end

local terminal = { completed = true, failed = true, cancelled = true,
  expired = true }

-- The status of a task: one of the five words of the documents, or `expired`. An
-- unrecognised status is passed through. `word`: what the answer has under `status`.
-- Returns nil where there is no status.
function _M.status(word)
  if word ~= nil and status_of[word] then
    return status_of[word]
  elseif type(word) ~= "string" or not word:sub(1, MOST_WORD):find("%S") then
    return nil
  end
  word = http.shortened(word, MOST_WORD)
  local plain = c_locale.lower(word):match("^%s*(.*%S)"):gsub("[%s-]+", "_")
  return status_of[plain] or word
end

-- Whether a task has ended.
function _M.is_terminal(task)
  return terminal[task.status] == true
end

-- Fields that the documents name, or that other programs have met.
local fields_known = {}
for name in ("id projectId object created model status error progress video_url url"
  .. " actualDuration amount totalTokens last_frame_url code msg message data result")
  :gmatch "%S+" do
  fields_known[name] = true
end

-- What of an answer no document knows. `task`: made of it. Returns list of `what`
-- (`status` or `field`) and `word`, its name; of any number of fields the first few.
function _M.unknown(task)
  local list = {}
  if task.status and not words[task.status] then
    list[1] = { what = "status", word = task.status }
  end
  for _, object in ipairs { task.raw, task.raw.data or task.raw.result } do
    for name in pairs(type(object) == "table" and object or {}) do
      if type(name) == "string" and not fields_known[name] and #list < MOST_UNKNOWN then
        list[#list + 1] = { what = "field", word = http.shortened(name, MOST_WORD) }
      end
    end
  end
  return list
end

-- When a task was created. `known`: the task, or its order: that may have been recorded
-- long before it was sent. Returns Unix seconds, nil where it does not tell.
function _M.created_at(known)
  return c_locale.tonumber(known.created) or c_locale.tonumber(known.accepted_at)
    or c_locale.tonumber(known.created_at)
end

-- How long a task has existed. `known`: as of `created_at`. Returns seconds; 0 where
-- nothing tells: it may be a second old.
function _M.age(known, now)
  local created = known and _M.created_at(known)
  return created and math.max(0, now - created) or 0
end

-- JSON allows 1e999, which Lua reads as infinite and cannot write as JSON.
local function is_finite(number)
  return number - number == 0
end

-- Most answers leave most fields out: what these make of a value is only asked
-- where there is one.
local function text_of(value)
  if type(value) == "string" then
    return value ~= "" and value or nil
  end
  return type(value) == "number" and is_finite(value)
    and ("%.0f"):format(value) or nil
end

-- Blanks around a link are none of it.
local function link_of(value)
  local text = text_of(value)
  local first = text and #text <= MOST_LINK and text:find "%S"
  return first and text:match("^.*%S", first)
end

-- An id stands in addresses, databases and messages: no control characters; and
-- U+FFFD stands where it did not come through. A number that cannot be written as
-- it came would be the id of another task.
local function id_of(value)
  if type(value) == "number" and (value % 1 ~= 0 or not json.is_exact(value)) then
    return nil
  end
  local text = text_of(value)
  return text and text:find "%S" and not text:find "[%c\127]"
    and not text:find("\239\191\189", 1, true) and text or nil
end

-- The id that an answer gives a task. `fields`: the object that holds the task's
-- fields.
function _M.named(fields)
  return id_of(fields.id) or id_of(fields.projectId)
end

local function number_of(value)
  local kind = type(value)
  if kind ~= "number" then
    value = kind == "string" and #value <= MOST_WORD
      and c_locale.tonumber(value:match "^%s*([%d.]+)%s*%%?%s*$") or nil
  end
  return value and is_finite(value) and value or nil
end

-- Percent of the way: whatever comes, callers may show it as a bar.
local function progress_of(value)
  local number = number_of(value)
  return number and math.max(0, math.min(100, number))
end

-- The reason that a failed answer gives: a text, or an object that has one. `value`:
-- what stands under `error`.
function _M.reason(value)
  if not value then
    return nil
  elseif type(value) == "table" then
    return text_of(value.message) or text_of(value.msg)
      or text_of(value.code), text_of(value.code)
  end
  return text_of(value), nil
end

-- What the provider says that it charged: a number, or a short text.
local function amount_of(value)
  if type(value) == "string" then
    return value:find "%S" and not value:find "%c" and http.shortened(value, MOST_WORD) or nil
  end
  return type(value) == "number" and is_finite(value) and value or nil
end

-- Make a task of a decoded answer. `fields`: the object that holds the task's fields.
-- `raw`: the whole decoded answer. `id`: that it has whatever the answer says. Returns
-- task; fields the answer lacks are nil.
function _M.new(fields, raw, id)
  local status = _M.status(fields.status)
  local task = {
    id = id or _M.named(fields),
    object = fields.object and text_of(fields.object) or nil,
    created = fields.created and number_of(fields.created) or nil,
    model = fields.model and text_of(fields.model) or nil,
    status = status,
    video_url = fields.video_url and link_of(fields.video_url)
      or fields.url and link_of(fields.url) or nil,
    progress = fields.progress and progress_of(fields.progress) or nil,
    raw = raw,
  }
  if fields.amount then
    task.amount = amount_of(fields.amount)
  end
  if fields.actualDuration then
    task.actualDuration = number_of(fields.actualDuration)
  end
  if terminal[status] and status ~= "completed" then
    local reason = _M.reason(fields.error)
    task.error = reason and http.shortened(reason, MOST_REASON)
  end
  return setmetatable(task, mt)
end

return _M
