local contexts = require "starvideos.context"
local starvideos = require "starvideos"

-- The fields that the page lists, and the type of each.
local function documented()
  local file = assert(io.open("docs/contracts.md", "rb"))
  local text, names = file:read "*a", {}
  file:close()
  local section = text:match "\n#+ [^\n]* context\n(.-)\n##"
  for name, kind in section:gmatch "\n| `([%w_]+)` | ([^|]+) |" do
    names[name] = kind
  end
  return names
end

describe("the context of a client", function()
  local names, client, context, now

  before_each(function()
    names, now = documented(), 1000
    local bodies = { POST = '{"id":"video_1","status":"queued"}',
      GET = '{"id":"video_1","status":"completed","video_url":"https://m.test/1"}' }
    client = assert(starvideos.new {
      api_key = "key", account = "mine", insecure_http = true,
      ledger = os.tmpname(),
      transport = function(req)
        return { status = 200, headers = {}, body = bodies[req.method] }
      end,
      clock = function() return now end,
      sleep = function(seconds) now = now + seconds return true end,
      shared = { get = function() end, set = function() end,
        add = function() return true end },
      on_event = function() error("a fault of the listener's") end,
    })
    context = contexts.of(client)
  end)

  after_each(function()
    client:close()
    os.remove(context.ledger.address)
  end)

  it("has the fields that are documented, and gets no other", function()
    local task = assert(client:create { model = "videos", prompt = "a kite",
      duration = 5 })
    assert(client:wait(task))
    assert.same({}, select(2, client:validate { model = "videos",
      prompt = "a kite", duration = 5 }))
    for name in pairs(context) do
      assert.is_truthy(names[name], name)
    end
  end)

  it("has each of them, but for those that may be missing", function()
    for name, kind in pairs(names) do
      assert.is_truthy(context[name] ~= nil or kind:find " or nil$", name)
    end
  end)

  it("is found by its client alone", function()
    assert.is_nil(contexts.of {})
    assert.is_nil(contexts.of(nil))
  end)
end)
