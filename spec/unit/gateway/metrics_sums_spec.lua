local metrics = require "starvideos.gateway.metrics"

describe("the sums of the ledger in a gateway's metrics", function()
  local now, asked, queued, real

  -- As nginx's, for one worker.
  local function dictionary()
    local values, ends = {}, {}
    local dict = {}
    function dict.get(_, name)
      if ends[name] and ends[name] <= now then
        values[name], ends[name] = nil, nil
      end
      return values[name]
    end
    function dict.set(_, name, value, seconds)
      values[name], ends[name] = value, seconds and now + seconds
    end
    function dict.add(_, name, value, seconds)
      if dict.get(nil, name) ~= nil then
        return false
      end
      dict.set(nil, name, value, seconds)
      return true
    end
    function dict.delete(_, name)
      values[name] = nil
    end
    function dict.get_keys()
      return {}
    end
    return dict
  end

  local takes

  before_each(function()
    now, asked, queued, takes, real = 1000, 0, 1, 0, rawget(_G, "ngx")
    local dict = dictionary()
    rawset(_G, "ngx", { shared = { starvideos_gateway = dict,
      starvideos_gateway_metrics = dict }, header = {}, update_time = function() end,
      worker = { count = function() return 1 end }, now = function() return now end })
    dict:set("ledger", true)
  end)

  after_each(function()
    rawset(_G, "ngx", real)
  end)

  local app = { client = function()
    return { status = function()
      asked, now = asked + 1, now + takes
      return queued and { states = { queued = queued }, spend = {} } or nil
    end }
  end }

  local function depth()
    local text
    rawget(_G, "ngx").print = function(printed) text = printed end
    assert.is_true(metrics.run(app, { remote = "127.0.0.1",
      header = function() end }))
    return tonumber(text:match "queue_depth (%d+)")
  end

  it("are added up once in ten seconds", function()
    assert.equal(1, depth())
    queued = 2
    now = now + 9
    assert.equal(1, depth())
    assert.equal(1, asked)
    now = now + 2
    assert.equal(2, depth())
    assert.equal(2, asked)
  end)

  it("take no more than a twentieth of the time", function()
    takes = 2
    depth()
    now = now + 35
    depth()
    assert.equal(1, asked)
    now = now + 6
    depth()
    assert.equal(2, asked)
  end)

  it("are none where the ledger cannot be read, until it can", function()
    depth()
    queued, now = nil, now + 11
    assert.is_nil(depth())
    queued = 3
    assert.equal(3, depth())
  end)
end)
