-- The workers: clients of the library as they are, but for the disk.

local starvideos = require "starvideos"
local world = require "spec.simulate.world"

local _M = {}

-- Seconds of virtual time after which it says how far it is.
local PROGRESS = 300

-- Seconds that a download takes.
local DOWNLOAD = 2

-- Orders of one call of `enqueue`: ids differ by the time, which stands still
-- meanwhile, and by a count that is not longer.
local PAGE = 4000

-- All clients share one connection, for a database in memory belongs to it.
local function share_ledger()
  local orders = require "starvideos.ledger.tasks"
  local new, shared = orders.new, nil
  function orders.new(options)
    shared = shared or new(options)
    shared.close = function() end
    return shared
  end
end

-- All workers live in this process, so that nobody needs to look for them.
local function all_live()
  require("starvideos.ledger.owner").is_alive = function()
    return true
  end
end

-- There is no disk: a video is saved when its time is over.
local function save_nowhere()
  local saving = require "starvideos.fleet.saving"
  function saving.make_folder()
    return true
  end
  function saving.look()
    return nil
  end
  function saving.save(context, _, path, task)
    world.sleep(DOWNLOAD)
    local file = { path = path, bytes = 1, sha256 = ("0"):rep(64) }
    local ok, err = context.ledger:downloaded(task.id, file)
    return ok and file, err
  end
end

local function client_of(provider)
  return assert(starvideos.new { api_key = provider.box.key,
    base_url = provider.box.base_url, transport = provider:transport(),
    ledger = ":memory:", ledger_fsync = false, random = math.random })
end

local function enqueue(client, count)
  for first = 1, count, PAGE do
    local list = {}
    for number = first, math.min(count, first + PAGE - 1) do
      list[#list + 1] = { model = "videos", prompt = "scene " .. number,
        duration = 5, path = ("%06d.mp4"):format(number) }
    end
    assert(client:enqueue(list))
    world.sleep(0.01)
  end
end

--- Work off a queue.
-- @tparam table setup `orders`, `workers`, and the limits
-- @tparam table provider
-- @treturn table `done`, and `seconds` until the last order was saved
function _M.run(setup, provider)
  local result = { done = 0, seconds = 0 }
  share_ledger()
  save_nowhere()
  all_live()
  world.start(function()
    local client = client_of(provider)
    assert(client:limits { open = setup.open,
      creates_per_minute = setup.creates_per_minute,
      polls_per_second = setup.polls_per_second })
    enqueue(client, setup.orders)
    for _ = 1, setup.workers do
      world.start(function()
        world.sleep(math.random() * 10)
        assert(client_of(provider):work { directory = "/nowhere", any_path = true, min_free = 0,
          on_done = function(_, file)
            if file then
              result.done, result.seconds = result.done + 1, world.now()
            end
          end })
      end)
    end
  end)
  world.run(function(second)
    provider:look()
    if second % PROGRESS == 0 then
      io.stderr:write(("%d s: %d orders saved\n"):format(second, result.done))
    end
  end)
  return result
end

return _M
