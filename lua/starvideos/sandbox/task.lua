--- Tasks: made once, never changed; what becomes of them follows from the
-- clock, so that any number of workers sees the same.
-- @module starvideos.sandbox.task

local clip = require "starvideos.sandbox.media.clip"
local json = require "starvideos.json"
local refusal = require "starvideos.sandbox.refusal"
local scenarios = require "starvideos.sandbox.scenario"
local signature = require "starvideos.sandbox.signature"
local url = require "starvideos.sandbox.url"

local _M = {}

-- What a reference video lasts that does not say how long it is.
local REFERENCE_SECONDS = 5

local function shape(params, row)
  if not refusal.video_leads(params, row) then
    return params.duration or row.duration.default,
      params.ratio or row.ratio.default
  end
  local facts = url.facts(params.referenceVideos[1])
  local ratio = row.ratio.default
  if facts.width and facts.height then
    ratio = clip.nearest(facts.width, facts.height)
  end
  return facts.duration or REFERENCE_SECONDS, ratio
end

-- Empty lists would come out of the store as empty objects.
local function without_empty(params)
  local kept = {}
  for name, value in pairs(params) do
    if type(value) ~= "table" or next(value) ~= nil then
      kept[name] = value
    end
  end
  return kept
end

-- Unique among the sandboxes of a machine as long as their clocks run.
local function new_id(box, now, model, prefix)
  local family = model == "starvideos_o3" and "video_starvideos_o3_"
    or "video_"
  return ("%s%d%06d"):format(prefix or family, math.floor(now),
    box.store:count "sequence" % 1000000)
end

--- Accept an order.
-- @tparam table box
-- @tparam table params which nothing is wrong with
-- @tparam ?string marked the specification of the prompt's markers
-- @tparam ?string id_prefix in place of the regular one
-- @tparam ?string digest of the body it came in
-- @treturn table the task
function _M.make(box, params, marked, id_prefix, digest)
  local now = box.clock()
  local seconds, ratio = shape(params, box.models[params.model])
  local task = {
    id = new_id(box, now, params.model, id_prefix), model = params.model,
    at = now, created = math.floor(now), params = without_empty(params),
    scenario = marked, seconds = seconds, ratio = ratio, digest = digest,
    luck = box.random(),
  }
  box.clips:order(task)
  box.store:set("task:" .. task.id, json.encode(task))
  box.store:push("tasks", task.id)
  return task
end

--- Find a task.
-- @tparam table box
-- @tparam string id
-- @treturn ?table
function _M.find(box, id)
  local text = box.store:get("task:" .. id)
  return text and json.decode(text)
end

local function status(box, task, life, n)
  local age = box.clock() - task.at
  local seconds = (n or box.seconds) * (life.varies and task.luck or 1)
  if age < math.min(box.queued_seconds, seconds) then
    return "queued"
  end
  if age < seconds or life.ends == "processing" then
    return "processing"
  end
  if not life.error and life.ends ~= "cancelled" then
    return box.clips:find(task) and "completed" or "processing"
  end
  return life.ends
end

--- How a task stands.
-- @tparam table box
-- @tparam table task
-- @treturn table `{ status =, error =, path =, seconds = }`; `path` is the
--   clip's file and `seconds` its real length, once completed
function _M.now(box, task)
  local life, n = scenarios.life(box:scenarios_of(task))
  life = life or { ends = "completed" }
  local now = { status = status(box, task, life, n) }
  if now.status == "completed" then
    now.path = box.clips:find(task)
    now.seconds = clip.seconds(now.path)
  elseif now.status == "failed" then
    now.error = life.error
  end
  return now
end

--- A signed link to a task's clip.
-- @tparam table box
-- @tparam table task
-- @tparam ?boolean expired true = one that is dead already
-- @treturn string
function _M.link(box, task, expired)
  local path = "/media/" .. url.encode(task.id) .. ".mp4"
  local expires = box.clock() + (expired and -60 or box.link_seconds)
  return box.media_url .. path .. "?"
    .. signature.sign(box.secret, path, math.max(0, expires))
end

return _M
