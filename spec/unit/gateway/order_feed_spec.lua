-- What listeners of an nginx worker learn, with an nginx and a ledger of this
-- spec's: timers run when it says so, and waits end at once.

local live = require "starvideos.gateway.order_feed"

local unpack = table.unpack or unpack

local ID, OTHER = ("a"):rep(32), ("b"):rep(32)
local CALLER = { name = "ann" }

describe("a listener of an order", function()
  local nginx, semaphores, timers, left, source, ledger, listeners
  local former = package.loaded["ngx.semaphore"]

  local notes = 0 -- which never are as many as the module has seen before

  local function shared_dict()
    notes = notes + 1000
    local values = { notes = notes }
    return {
      get = function(_, key) return values[key] end,
      set = function(_, key, value) values[key] = value end,
      incr = function(_, key, by, from)
        values[key] = (values[key] or from) + by
      end,
    }
  end

  local function semaphore()
    local self = { count_ = 0 }
    function self.post(_, count) self.count_ = self.count_ + count end
    function self.count() return self.count_ end
    semaphores[#semaphores + 1] = self
    return self
  end

  before_each(function()
    semaphores, timers, left, listeners = {}, {}, 0, {}
    ledger = { asked = {}, statuses = {}, found = {} }
    nginx = { clock = 100, shared = { starvideos_gateway = shared_dict() },
      now = function() return nginx.clock end,
      worker = { exiting = function() return false end },
      timer = { at = function(_, body, ...)
        timers[#timers + 1] = { body, ... }
        return true
      end } }
    rawset(_G, "ngx", nginx)
    package.loaded["ngx.semaphore"] = { new = semaphore }
    source = { statuses = function(ids)
      ledger.asked[#ledger.asked + 1] = ids
      return ledger.statuses
    end, find = function(caller, id)
      assert.equal(CALLER, caller)
      ledger.finds = (ledger.finds or 0) + 1
      return ledger.found[id], ledger.found[id] == nil
    end }
    live.policy.look = -1
  end)

  after_each(function()
    for _, listener in ipairs(listeners) do
      listener:leave()
    end
    for _, timer in ipairs(timers) do -- which end where nobody listens
      timer[1](false, unpack(timer, 2))
    end
    live.policy.look = 3
    rawset(_G, "ngx", nil)
    package.loaded["ngx.semaphore"] = former
  end)

  local function entry_of(order_id, status, progress)
    return { id = "video_" .. order_id, order_id = order_id, status = status,
      progress = progress or 0 }
  end

  local function listen(order_id, status)
    local listener = live.listen(source, CALLER, entry_of(order_id, status),
      function() left = left + 1 end)
    listeners[#listeners + 1] = listener
    return listener
  end

  local function was_woken(listener)
    local woken = listener.waiter.posted
    listener.waiter.posted = false
    return woken
  end

  it("learns of the progress that any worker has noted", function()
    local one, other = listen(ID, "in_progress"), listen(ID, "in_progress")
    local third = listen(OTHER, "in_progress")
    live.note(ID, { progress = 40 })
    live.tick()
    assert.is_true(was_woken(one))
    assert.is_true(was_woken(other))
    assert.is_false(was_woken(third))
    assert.equal(40, one:entry().progress)
    assert.equal(0, third:entry().progress)
    live.tick()
    assert.is_false(was_woken(one))
  end)

  it("is not woken by what it knows", function()
    local one = listen(ID, "in_progress")
    live.note(ID, { progress = 40 })
    live.tick()
    was_woken(one)
    live.note(ID, { progress = 40 })
    live.note(OTHER, { progress = 50 })
    live.tick()
    assert.is_false(was_woken(one))
  end)

  it("costs nothing while nothing new is noted", function()
    for index = 1, 50 do
      listen(("%032x"):format(index), "queued")
    end
    live.note(ID, { progress = 40 })
    live.tick()
    live.note(ID, { progress = 40 })
    local dict, looks = nginx.shared.starvideos_gateway, 0
    local get = dict.get
    function dict.get(...)
      looks = looks + 1
      return get(...)
    end
    live.tick()
    assert.equal(1, looks)
  end)

  it("learns of the end as the ledger has it once that was noted", function()
    local one = listen(ID, "in_progress")
    ledger.statuses = { [ID] = "in_progress" }
    ledger.found[one:entry().id] = entry_of(ID, "completed", 100)
    live.note(ID, { state = "downloaded" })
    live.tick()
    assert.is_false(was_woken(one))
    live.look(source)
    assert.is_true(was_woken(one))
    assert.equal("completed", one:entry().status)
  end)

  it("learns what only the ledger knows", function()
    local one, other = listen(ID, "queued"), listen(OTHER, "queued")
    ledger.statuses = { [ID] = "failed", [OTHER] = "queued" }
    ledger.found[one:entry().id] = entry_of(ID, "failed")
    live.look(source)
    assert.equal("failed", one:entry().status)
    assert.is_false(was_woken(other))
    assert.equal(1, ledger.finds)
  end)

  it("learns that the order was deleted", function()
    local one = listen(ID, "queued")
    live.look(source)
    assert.is_true(was_woken(one))
    assert.is_nil(one:entry())
  end)

  it("keeps what it knows while the ledger cannot be read", function()
    local one = listen(ID, "queued")
    ledger.statuses = nil
    live.look(source)
    assert.equal("queued", one:entry().status)
    ledger.statuses = { [ID] = "in_progress" }
    source.find = function() return nil, false end
    live.look(source)
    assert.equal("queued", one:entry().status)
    source.find = function() return entry_of(ID, "in_progress", 1) end
    live.look(source)
    assert.equal("in_progress", one:entry().status)
  end)

  it("asks the ledger as often, however many listen to an order", function()
    for _ = 1, 100 do
      listen(ID, "queued")
    end
    ledger.statuses = { [ID] = "in_progress" }
    ledger.found["video_" .. ID] = entry_of(ID, "in_progress")
    live.look(source)
    assert.same({ { ID } }, ledger.asked)
    assert.equal(1, ledger.finds)
  end)

  it("asks in chunks for many orders, and not before it is time", function()
    live.policy.look, nginx.clock = 3, 1000
    for index = 1, live.policy.chunk + 1 do
      local order_id = ("%032x"):format(index)
      listen(order_id, "queued")
      ledger.statuses[order_id] = "queued"
    end
    live.look(source)
    assert.equal(2, #ledger.asked)
    assert.equal(live.policy.chunk + 1, #ledger.asked[1] + #ledger.asked[2])
    nginx.clock = 1002
    live.look(source)
    assert.equal(2, #ledger.asked)
    nginx.clock = 1003
    live.look(source)
    assert.equal(4, #ledger.asked)
  end)

  it("has no timer of its own", function()
    for index = 1, 50 do
      listen(("%032x"):format(index), "queued")
    end
    assert.equal(2, #timers)
  end)

  it("is forgotten once it has left, or was killed", function()
    local one, other = listen(ID, "queued"), listen(ID, "queued")
    one:leave()
    one:leave()
    assert.equal(1, left)
    other.waiter.waiting = true -- and nobody waits on its semaphore
    live.look(source)
    assert.equal(2, left)
    live.look(source)
    assert.equal(0, #ledger.asked)
  end)
end)

describe("the progress of an order", function()
  it("is not known outside of nginx", function()
    assert.is_nil(live.progress(ID))
  end)
end)
