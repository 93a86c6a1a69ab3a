--- Order AI videos, wait for them, save them.
--
--     local starvideos = require "starvideos"
--     local task  = assert(starvideos.create{ model = "starvideos_o3",
--       prompt = "Cyberpunk cityscape at night", duration = 5 })
--     local video = assert(starvideos.wait(task.id))
--     assert(starvideos.download(video, "city.mp4"))
--
-- The functions use a client made from the environment: STARVIDEOS_API_KEY
-- and, where set, STARVIDEOS_BASE_URL. `new` makes further clients.
-- @module starvideos

local client = require "starvideos.client"

local _M = {}

--- The version of this library.
_M._VERSION = "0.1.0"

--- Make a client of your own; see `starvideos.client`.
-- @function new
_M.new = client.new

-- The default client, made anew when the environment has changed.
local default, made_for

local function default_client()
  local key = os.getenv "STARVIDEOS_API_KEY"
  local base_url = os.getenv "STARVIDEOS_BASE_URL"
  if base_url == "" then
    base_url = nil
  end
  local wanted = tostring(key) .. "\n" .. tostring(base_url)
  if not default or made_for ~= wanted then
    local made, err = client.new { api_key = key, base_url = base_url }
    if not made then
      return nil, err
    end
    default, made_for = made, wanted
  end
  return default
end

--- Order a video; see `starvideos.client:create`.
-- @function create

--- Look at a task once; see `starvideos.client:query`.
-- @function query

--- Wait until a task ends; see `starvideos.client:wait`.
-- @function wait

--- Wait for many tasks; see `starvideos.client:wait_all`.
-- @function wait_all

--- Save the video of a completed task; see `starvideos.client:download`.
-- @function download

--- Order, wait and save; see `starvideos.client:generate`.
-- @function generate

--- Hold a request against the limits; see `starvideos.client:validate`.
-- @function validate

--- The models and their limits; see `starvideos.client:models`.
-- @function models
for _, name in ipairs { "create", "query", "wait", "wait_all", "download",
  "generate", "validate", "models" } do
  _M[name] = function(...)
    local self, err = default_client()
    if not self then
      return nil, err
    end
    return self[name](self, ...)
  end
end

--- Like `assert`, for hosts that print only text: raises the sentence of an
-- error as a string. The stand-alone Lua 5.1 and nginx need it.
-- @param value
-- @param err
-- @return value and whatever follows it
-- @raise tostring(err) where value is false or nil
function _M.assert(value, err, ...)
  if not value then
    error(tostring(err), 0)
  end
  return value, err, ...
end

return _M
