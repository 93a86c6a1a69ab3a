local page = require "starvideos.gateway.page"
local contexts = require "starvideos.context"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local PRICES = { currency = "USD", models = { videos = { per_second = 0.1 },
  starvideos_o3 = { per_second = 0.05 } } }

describe("the account of a gateway's caller", function()
  local folder, clients, app

  before_each(function()
    folder, clients = files.folder(), {}
    app = { callers = {}, catalog = core.catalog(), prices = PRICES }
    function app.client(name)
      clients[name] = clients[name] or assert(starvideos.new { api_key = "key",
        runtime = "block", ledger = folder .. "/ledger.db", account = name,
        prices = app.prices })
      return clients[name]
    end
  end)

  after_each(function()
    for _, client in pairs(clients) do
      client:close()
    end
    files.remove(folder)
  end)

  local function caller(limits)
    return { name = "ann", limits = limits or {} }
  end

  local function show(who)
    local status, value = page.show(app, { caller = who })
    assert.equal(200, status)
    return value
  end

  local function place(cost_seconds)
    assert(require "starvideos.fleet.enqueue".admit(
      contexts.of(app.client "ann"), { model = "videos", prompt = "Rain",
        duration = cost_seconds }, {}))
  end

  local function price(text, content_type)
    return page.price(app, { caller = caller(),
      header = function(name)
        return name == "Content-Type" and (content_type or "application/json")
          or nil
      end,
      body = function() return text end })
  end

  it("has the models with their real limits", function()
    local models = {}
    for _, row in ipairs(show(caller()).models) do
      models[row.name] = row
    end
    assert.equal(1500, models.videos_fast.prompt.max)
    assert.is_true(models.videos.duration.required)
    assert.same({ "9:16", "1:1", "16:9" }, models.starvideos_o3.ratio.values)
    assert.is_nil(models.starvideos_o3.referenceAudios)
  end)

  it("has every field with what a page makes an input of", function()
    local kinds = {}
    for _, field in ipairs(show(caller()).fields) do
      assert.is_true(#field.label > 0 and #field.help > 0, field.name)
      kinds[field.name] = field.kind
    end
    assert.same({ model = "model", prompt = "prompt", duration = "duration",
      ratio = "choice", resolution = "choice", first_image = "frame",
      last_image = "frame", referenceImages = "media", referenceVideos = "media",
      referenceAudios = "media" }, kinds)
  end)

  it("says who it is, and whether there is a token to sign out of", function()
    assert.same({ "ann", true, "USD" }, { show(caller()).caller,
      show(caller()).has_session, show(caller()).currency })
    app.callers, app.prices = nil, nil
    local value = show { name = "local", limits = {} }
    assert.is_false(value.has_session)
    assert.is_nil(value.currency)
  end)

  it("has what is left of a spend, less what is queued", function()
    local who = caller { spend = 2000000, per = "day" }
    place(5)
    assert.same({ cap = 2, used = 0.5, left = 1.5, per = "day",
      currency = "USD" }, show(who).spend)
    place(15)
    place(4)
    assert.same(0, show(who).spend.left)
  end)

  it("counts the orders that are open", function()
    place(5)
    assert.same({ cap = 3, used = 1 }, show(caller { open = 3 }).open)
  end)

  it("names no limit that there is not", function()
    assert(app.client "bob":limits { spend = 7, per = "day", account = "bob" })
    local value = show(caller())
    assert.is_nil(value.spend)
    assert.is_nil(value.open)
  end)

  it("is refused while the ledger cannot be read", function()
    stub(contexts.of(app.client "ann").ledger, "usage", function()
      return nil, { kind = "ledger", message = "gone" }
    end)
    local status, refusal = page.show(app, { caller = caller() })
    assert.is_nil(status)
    assert.equal(503, refusal.status)
  end)

  describe("prices an order", function()
    it("without placing it", function()
      local status, value = price
        '{"model":"videos","prompt":"Rain","seconds":"6"}'
      assert.same({ 200, 0.6, "USD" }, { status, value.cost, value.currency })
      assert.equal(json.empty_list, value.violations)
      assert.equal(0, contexts.of(app.client "ann").ledger:usage().open)
    end)

    it("with the length of a reference that sets it, or says why not",
      function()
        local order = '{"model":"starvideos_o3","prompt":"Rain",'
          .. '"referenceVideos":[%s]}'
        local _, value = price(order:format
          '{"url":"https://a.example/b.mp4","duration":4.5}')
        assert.equal(0.25, value.cost)
        _, value = price(order:format '"https://a.example/b.mp4"')
        assert.is_nil(value.cost)
        assert.matches("duration is not known", value.why)
      end)

    it("and names every fault instead, by the caller's own fields", function()
      local status, value = price '{"model":"videos","seconds":"99"}'
      assert.equal(200, status)
      assert.same({ "prompt", "seconds" },
        { value.violations[1].field, value.violations[2].field })
      status, value = price '{"model":"videos","prompt":"Rain","size":"1x1"}'
      assert.equal(200, status)
      assert.equal("size", value.violations[1].field)
    end)

    it("and refuses what is no order at all", function()
      local status, refusal = price("{", "application/json")
      assert.is_nil(status)
      assert.equal(400, refusal.status)
      status, refusal = price("model=videos",
        "application/x-www-form-urlencoded")
      assert.is_nil(status)
      assert.equal(415, refusal.status)
    end)
  end)
end)
