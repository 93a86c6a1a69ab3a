--- Order AI videos, wait for them, save them.
--
--     local starvideos = require "starvideos"
--     local task  = assert(starvideos.create{ model = "starvideos_o3",
--       prompt = "Cyberpunk cityscape at night", duration = 5 })
--     local video = assert(starvideos.wait(task.id))
--     assert(starvideos.download(video, "city.mp4"))
--
-- The functions use a client made from the environment: STARVIDEOS_API_KEY
-- and, where set, STARVIDEOS_BASE_URL and STARVIDEOS_LEDGER. `new` makes
-- further clients.
-- @module starvideos

require "starvideos.base.library"

local core = require "starvideos.core"
local client = require "starvideos.client"
local errors = require "starvideos.errors"

local _M = {}

--- The version of this library.
_M._VERSION = require "starvideos.base.version"

--- Make a client of your own; see `starvideos.client`.
-- @function new
_M.new = client.new

--- Read a list of orders from a file of JSON lines, for `enqueue` and
-- `generate_all`; see `starvideos.fleet.manifest`.
-- @tparam string path
-- @treturn ?ListedOrder[] list
-- @treturn ?Error err of kind io or validation
function _M.manifest(path)
  return require("starvideos.fleet.manifest").load(path)
end

local function environment(name)
  local value = core.getenv(name)
  return value ~= "" and value or nil
end

-- The default client, and of which environment it was made: another one when
-- that has changed.
local default, made_for

local function default_client()
  local options = {
    api_key = core.getenv "STARVIDEOS_API_KEY",
    base_url = environment "STARVIDEOS_BASE_URL",
    ledger = environment "STARVIDEOS_LEDGER",
  }
  local wanted = ("%s\n%s\n%s"):format(tostring(options.api_key),
    tostring(options.base_url), tostring(options.ledger))
  if not default or made_for ~= wanted then
    local made, err = client.new(options)
    if not made then
      return nil, err
    end
    default, made_for = made, wanted
  end
  return default
end

local function no_ledger(name)
  return errors.new {
    kind = "config",
    message = name .. " needs a ledger: set STARVIDEOS_LEDGER or make a client"
      .. " with the option ledger",
  }
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

--- Check and price a list of orders; see `starvideos.client:validate_all`.
-- @function validate_all

--- Put a list of orders into the queue of the ledger; see
-- `starvideos.client:enqueue`.
-- @function enqueue

--- Order, wait for and save a list of videos; see
-- `starvideos.client:generate_all`.
-- @function generate_all

--- List the open orders of the ledger; see `starvideos.client:pending`.
-- @function pending

--- Look an order of the ledger up; see `starvideos.client:order`.
-- @function order

--- List the orders of the ledger; see `starvideos.fleet.orders`.
-- @function orders

--- What the ledger holds, in sums; see `starvideos.fleet.status`.
-- @function status

--- Drop what is private of orders that ended; see `starvideos.fleet.archive`.
-- @function archive

--- Copy a ledger; see `starvideos.fleet.backup`.
-- @function backup

--- Wait for all open orders of the ledger and save their videos; see
-- `starvideos.client:resume`.
-- @function resume

--- Say which task an order of unknown fate has become; see
-- `starvideos.client:adopt`.
-- @function adopt

--- Abandon an order of the ledger; see `starvideos.client:dismiss`.
-- @function dismiss

--- Say of which account an order is; see `starvideos.client:label`.
-- @function label

--- Work off the queue of the ledger; see `starvideos.client:work`.
-- @function work

--- Set limits of the ledger, and list them; see `starvideos.client:limits`.
-- @function limits

--- Check a request against the limits; see `starvideos.client:validate`.
-- @function validate

--- The models and their limits; see `starvideos.client:models`.
-- @function models

-- The methods of the default client, and whether they are about its ledger.
local methods = { create = false, query = false, wait = false,
  wait_all = false, download = false, generate = false, validate = false,
  models = false, validate_all = false, generate_all = false, enqueue = true,
  pending = true, order = true, orders = true, status = true, archive = true,
  backup = true, resume = true, adopt = true, dismiss = true, label = true,
  limits = true, work = true }

for name, needs_ledger in pairs(methods) do
  _M[name] = function(...)
    local self, err = default_client()
    if self and needs_ledger and not environment "STARVIDEOS_LEDGER" then
      self, err = nil, no_ledger(name)
    end
    if not self then
      return nil, err
    end
    return self[name](self, ...)
  end
end

--- Like `assert`, for hosts that print only text: raises the sentence of an
-- error as a string. The stand-alone Lua 5.1 and nginx need it.
-- @tparam any value
-- @tparam[opt] any err
-- @param ... further values
-- @treturn any value and whatever follows it
-- @raise tostring(err) where value is false or nil
function _M.assert(value, err, ...)
  if not value then
    error(tostring(err), 0)
  end
  return value, err, ...
end

return _M
