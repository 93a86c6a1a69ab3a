-- What is secret in a URL or an address that a program hands over is in
-- nothing that the library shows or writes down.

local cli = require "starvideos.cli"
local command = require "spec.fixtures.command"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local locations = require "starvideos.ledger.location"
local record = require "starvideos.ledger.record"
local starvideos = require "starvideos"
local worlds = require "spec.ledger.world"

local KEY = "sk-0123456789abcdef"

local function assert_hidden(text)
  assert.is_nil(text:find("SECRET", 1, true), text)
end

describe("a reference with a secret", function()
  local world

  before_each(function()
    world = worlds.new()
  end)

  after_each(function()
    world:close()
  end)

  local function ledger_bytes()
    local all = {}
    for _, suffix in ipairs { "", "-wal", "-shm" } do
      all[#all + 1] = files.read(world.folder .. "/ledger.db" .. suffix) or ""
    end
    return table.concat(all)
  end

  for _, url in ipairs { "https://user:SECRET@host/a.png",
    "https://host/a.png#SECRET", "https://host/a.png;sig=SECRET",
    'https://host/a.png?sig="SECRET', "https://host/a.png?sig=>SECRET" } do
    it("stays out of ledger, lists, errors and events: " .. url, function()
      local params = world.params()
      params.referenceImages, params.prompt = { url }, "a kite as in " .. url
      local events = {}
      local client = world:client {
        transport = function()
          return { status = 200, headers = {}, body =
            '{"object":"error","error":"cannot read ' .. url:gsub('"', '\\"')
            .. '"}' }
        end,
        on_event = function(event)
          for _, value in pairs(event) do
            events[#events + 1] = tostring(value)
          end
        end,
      }
      local _, err = client:create(params, { key = "kite" })
      assert.equal("invalid_request", err.kind)
      assert_hidden(err.message)
      assert_hidden(table.concat(events))
      assert_hidden(ledger_bytes())
      for _, order in ipairs(assert(client:pending())) do
        assert_hidden(starvideos.assert(record.text(order)))
      end
    end)
  end

  it("is shown of no error that another program wrote down", function()
    local order = record.order { order_id = "1", state = "unknown",
      error = "cannot read https://h/a#SECRET", params = "{}" }
    assert_hidden(order.error)
  end)
end)

describe("the key of the API", function()
  local world, events

  before_each(function()
    world, events = worlds.new(), {}
  end)

  after_each(function()
    world:close()
  end)

  local function note(event)
    for _, value in pairs(event) do
      events[#events + 1] = tostring(value)
    end
  end

  -- All that a program can see of a value, as one text.
  local function shown(value)
    return json.encode(value) .. tostring(value)
  end

  local function assert_no_key(value)
    local text = type(value) == "string" and value or shown(value)
    assert.is_nil(text:find("123456789", 1, true), text)
  end

  local by_number = KEY:gsub(".", function(char)
    return ("\\u%04x"):format(char:byte())
  end)

  for name, echo in pairs { plain = KEY, ["by number"] = by_number } do
    local function client_answered(format, status)
      return world:client { api_key = KEY, on_event = note,
        transport = function()
          return { status = status or 200, headers = {},
            body = format:format(echo) }
        end }
    end

    for what, format in pairs {
      refusal = '{"object":"error","error":"no such key: %s"}',
      page = "<p>%s</p>",
      ["refusal with a code"] = '{"error":{"message":"no","code":"%s"}}',
    } do
      it(("stays out of all that a create shows: %s, %s"):format(name, what),
        function()
          local client = client_answered(format, 500)
          local _, err = client:create(world.params(), { key = "kite" })
          assert_no_key(err)
          assert_no_key(table.concat(events))
          assert_no_key(world:dump())
          assert_no_key(assert(client:pending()))
        end)
    end

    it("stays out of a task that failed: " .. name, function()
      local client = client_answered('{"id":"video_1","object":"video",'
        .. '"status":"failed","error":"the key %s is over its quota"}')
      assert_no_key(assert(client:query "video_1"))
      local _, err = client:wait("video_1", { first_poll = 0 })
      assert.equal("task_failed", err.kind)
      assert_no_key(err)
      local _, ordered = client:create(world.params(), { key = "kite" })
      assert.equal("task_failed", ordered.kind)
      assert_no_key(ordered)
      assert_no_key(table.concat(events) .. world:dump())
    end)
  end

  it("stays out of what a transport says of its failure", function()
    local client = world:client { api_key = KEY, on_event = note,
      transport = function()
        return nil, { reason = "bad header " .. KEY, message = "Bearer " .. KEY }
      end }
    local _, err = client:create(world.params(), { key = "kite" })
    assert.equal("outcome_unknown", err.kind)
    assert_no_key(err.message .. table.concat(events) .. world:dump())
  end)

  it("stays out of what a listener raises", function()
    local client = world:client { api_key = KEY, on_event = note,
      transport = function()
        return { status = 200, headers = {}, body =
          '{"id":"video_1","status":"processing"}' }
      end }
    client:wait("video_1", { timeout = 60, on_progress = function()
      error("told " .. KEY)
    end })
    assert.truthy(table.concat(events):find("told [key]", 1, true))
    assert_no_key(table.concat(events))
  end)
end)

describe("the address of a ledger", function()
  for given, taken in pairs {
    ["Postgres://u:SECRET@host/db"] = "postgres://u:SECRET@host/db",
    ["POSTGRESQL://host"] = "postgresql://host",
    [" postgres://u@[::1]:5432,other:5433/db?sslmode=require"] =
      "postgres://u@[::1]:5432,other:5433/db?sslmode=require",
  } do
    it("is that of a server however it is written: " .. given, function()
      local place = assert(locations.read(given))
      assert.is_true(place.server)
      assert.equal(taken, place.address)
      assert_hidden(locations.shown(given))
    end)
  end

  for _, path in ipairs { "videos.db", "/data/a b.db", "./user:p@x.db",
    "scene:1.db", "C:\\videos.db", "videos@home.db" } do
    it("is a path: " .. path, function()
      assert.is_true(assert(locations.read(path)).path)
      assert.equal(path, locations.shown(path))
    end)
  end

  for _, address in ipairs { "postgresql+psycopg://u:SECRET@host/db",
    "xyz://SECRET", "postgres:/u:SECRET@host/db", "u:SECRET@host/db",
    "host=db password=SECRET", "postgres://u:SE@SECRET@host/db",
    "postgres://u:p/SECRET@host/db", "postgres://host:SECRET/db",
    "Sqlite:///SECRET.db", "postgres:u:SECRET@host/db", "//u:SECRET@host/db",
    "DATABASE_URL=postgres://u:SECRET@host/db", "PGPASSWORD=SECRET",
    "'postgres://u:SECRET@host/db'", "host=db pass='SECRET'",
    "postgres://u@host/db password=SECRET" } do
    it("is refused and not shown: " .. address, function()
      local client, err = starvideos.new { api_key = KEY, ledger = address }
      assert.is_nil(client)
      assert.equal("config", err.kind)
      assert_hidden(tostring(err))
      assert_hidden(locations.shown(address))
    end)
  end

  it("is refused by the command line as a fault of the call", function()
    local text = ""
    local function sheet()
      return { flush = function() return true end,
        write = function(self, ...)
          text = text .. table.concat { ... }
          return self
        end }
    end
    for _, address in ipairs { "xyz://SECRET", "host=db password=SECRET",
      "postgres:u:SECRET@host/db" } do
      text = ""
      local code = cli.main({ "pending", "--ledger", address },
        { stdin = io.stdin, stdout = sheet(), stderr = sheet(),
          getenv = function() end, terminal = function() return false end,
          stdout_terminal = function() return false end, client_options = {} })
      assert.equal(2, code)
      assert.truthy(text:find("postgres://", 1, true), text)
      assert_hidden(text)
    end
  end)
end)

describe("a base URL that is none", function()
  for _, url in ipairs { "htttps//user:SECRET@host", "https:/u:SECRET@h",
    "https://u:SECRET@h/ x", "u:SECRET@h", "https://u:p?SECRET@h",
    "https://h/?SECRET", "https://h/#SECRET", "https://u:SECRET@h/v1",
    "https://u:SECRET/x@host", "https://u:9/SECRET@host", "https://u:SECRET",
    "https://u:9SECRET", "http://u:SECRET", "host=h password=SECRET" } do
    it("is refused without what is secret in it: " .. url, function()
      local client, err = starvideos.new { api_key = KEY, base_url = url }
      assert.is_nil(client)
      assert_hidden(tostring(err))
    end)
  end
end)

describe("an address in a place that is for something else", function()
  local addresses = { "postgres://u:SECRET@h/d", "postgres:u:SECRET@h/d",
    "host=h password=SECRET", "https://u:SECRET/x@h", "https://h/x?token=SECRET" }
  local places = {
    { "@" }, { "orders", "--ledgr", "@" }, { "batch", "@" },
    { "generate", "-o", "x", "--prompt-file", "@" }, { "create", "--params", "@" },
    { "query", "x", "--api-key-file", "@" }, { "doctor", "--offline", "--ca-file",
      "@" }, { "query", "x", "--log", "@/x" },
    { "query", "x", "--account", "@" }, { "query", "@" },
    { "create", "--prompt", "x", "--model", "@" }, { "sandbox", "--scenario", "@" },
    { "gateway", "--public-url", "@" }, { "gateway", "--host", "@" },
  }
  for _, place in ipairs(places) do
    it("shows no password: " .. table.concat(place, " "), function()
      for _, address in ipairs(addresses) do
        local words = {}
        for index, word in ipairs(place) do
          words[index] = word == "@" and address or word:gsub("@", function()
            return address
          end)
        end
        local _, out, err = command.run(words, { transport = function()
          return nil, { reason = "connect", message = "no connection" }
        end })
        assert_hidden(out .. err)
      end
    end)
  end
end)

describe("a reference that is refused", function()
  for _, url in ipairs { "https://h/a b;sig=SECRET", "https://h/a b#SECRET",
    "ftp://u:SECRET@h/a", "https://u:p?SECRET@h/ a" } do
    it("is shown without its secret: " .. url, function()
      local client = assert(starvideos.new { api_key = KEY })
      local params = { model = "videos", prompt = "a kite", duration = 5 }
      params.referenceImages = { url }
      local _, err = client:validate(params)
      assert_hidden(err.message .. tostring(err.violations[1].actual))
    end)
  end
end)
