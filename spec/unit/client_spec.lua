local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local starvideos = require "starvideos"

local BASE = "https://zcbservice.aizfw.cn/kyyReactApiServer"
local KEY = "sk-Zq7-secret-of-mine"
local RUNNING = '{"id":"video_1","object":"video","status":"processing"}'

local function config(changes)
  local now = 1000
  local options = {
    api_key = KEY,
    transport = function()
      return { status = 200, headers = {}, body = RUNNING }
    end,
    clock = function() return now end,
    sleep = function(seconds) now = now + seconds return true end,
    random = function() return 0.5 end,
  }
  for name, value in pairs(changes or {}) do options[name] = value end
  return options
end

--- A text for the name of a test: on one line, whatever it holds.
local function shown(text)
  return (text:gsub("%c", function(c) return ("<%d>"):format(c:byte()) end))
end

--- The URL that a query of "a" goes to, or nil and the error.
local function queried(base_url, more)
  local url
  local options = config(more)
  options.base_url = base_url
  options.transport = function(req)
    url = req.url
    return { status = 200, headers = {}, body = RUNNING }
  end
  local client, err = starvideos.new(options)
  if not client then return nil, err end
  assert(client:query "a")
  return url
end

--- Every place below `value` (metatables too) whose text holds `text`.
local function places_of(text, value)
  local found, seen = {}, {}
  local function walk(item, path)
    if type(item) == "string" then
      if item:find(text, 1, true) then found[#found + 1] = path end
    elseif type(item) == "table" and not seen[item] then
      seen[item] = true
      for key, below in next, item do
        walk(key, path .. ".key")
        walk(below, path .. "." .. tostring(key))
      end
      walk(getmetatable(item), path .. ".metatable")
    end
  end
  walk(value, "it")
  return found
end

describe("the base URL", function()
  local accepted = {
    { "is the provider's by default", nil, BASE },
    { "may be written out", BASE, BASE },
    { "may end in a slash", BASE .. "/", BASE },
    { "may be a gateway of one's own", "https://gw.test/video/api",
      "https://gw.test/video/api" },
    { "may have a port", "https://gw.test:8443/kyyReactApiServer",
      "https://gw.test:8443/kyyReactApiServer" },
    { "may be http on 127.0.0.1", "http://127.0.0.1:8080/kyyReactApiServer",
      "http://127.0.0.1:8080/kyyReactApiServer" },
    { "may be http on localhost", "http://localhost:8080/kyyReactApiServer",
      "http://localhost:8080/kyyReactApiServer" },
    { "may be http on [::1]", "http://[::1]:8080/kyyReactApiServer",
      "http://[::1]:8080/kyyReactApiServer" },
  }
  for _, case in ipairs(accepted) do
    it(case[1], function()
      assert.equal(case[3] .. "/v1/result/a", queried(case[2]))
    end)
  end

  it("may be http elsewhere where insecure_http says so", function()
    assert.equal("http://gw.test/kyyReactApiServer/v1/result/a",
      queried("http://gw.test/kyyReactApiServer", { insecure_http = true }))
  end)

  -- as people paste it: put right, or refused with what to write
  local pasted = {
    "https://zcbservice.aizfw.cn", "https://zcbservice.aizfw.cn/",
    BASE .. "//", BASE .. "/v1", BASE .. "/v1/", BASE .. "/v1/videos/videos",
    BASE .. "/v1/starvideos/videos", BASE .. "/v1/result",
    BASE .. "/v1/result/video_1", BASE .. "/kyyReactApiServer",
    BASE .. "/kyyReactApiServer/v1", "https://zcbservice.aizfw.cn/v1",
    "https://zcbservice.aizfw.cn//kyyReactApiServer", " " .. BASE .. "\n",
    "HTTPS://ZCBSERVICE.AIZFW.CN/kyyReactApiServer",
    "zcbservice.aizfw.cn/kyyReactApiServer", BASE .. "?", BASE .. "#",
  }
  for _, base_url in ipairs(pasted) do
    it("is put right or refused with advice: " .. shown(base_url), function()
      local url, err = queried(base_url)
      if url then
        local scheme, host, path = url:match("^(%a+)://([^/]+)(.*)$")
        assert.equal("https", c_locale.lower(scheme))
        assert.equal("zcbservice.aizfw.cn", c_locale.lower(host))
        assert.equal("/kyyReactApiServer/v1/result/a", path)
      else
        assert.equal("config", err.kind)
        assert.truthy(err.message:find("https://", 1, true))
        assert.truthy(err.message:find("/kyyReactApiServer", 1, true))
      end
    end)
  end

  local refused = {
    "http://zcbservice.aizfw.cn/kyyReactApiServer",
    "http://gw.test/kyyReactApiServer",
    "http://127.0.0.1.gw.test/kyyReactApiServer",
    "http://localhost.gw.test/kyyReactApiServer",
    "http://localhost@gw.test/kyyReactApiServer",
    "http://127.0.0.1:80@gw.test/kyyReactApiServer",
    "http://gw.test/kyyReactApiServer?localhost",
    "HTTP://gw.test/kyyReactApiServer",
    "ftp://zcbservice.aizfw.cn/kyyReactApiServer",
    "file:///etc/passwd", "javascript:alert(1)", "https://", "https:///path",
    "nonsense", "https://gw.test/a b", "https://gw.test/a\r\nX: y",
    "https://gw.te\0st/kyyReactApiServer",
  }
  for _, base_url in ipairs(refused) do
    it("is refused: " .. shown(base_url), function()
      local url, err = queried(base_url)
      assert.is_nil(url)
      assert.equal("config", err.kind)
    end)
  end

  it("raises where it is no text", function()
    assert.has_error(function() starvideos.new(config { base_url = 5 }) end)
  end)
end)

describe("the key", function()
  for _, key in ipairs { KEY .. "\n", "a\r\nX-Evil: 1", "a\0b", "\127", "a\tb" } do
    it("with a control character is refused: " .. shown(key), function()
      local client, err = starvideos.new(config { api_key = key })
      assert.is_nil(client)
      assert.equal("config", err.kind)
      assert.is_nil(tostring(err):find(KEY, 1, true))
      assert.is_nil(tostring(err):find("X-Evil", 1, true))
    end)
  end

  it("raises where it is no text", function()
    assert.has_error(function() starvideos.new(config { api_key = 5 }) end)
  end)

  it("that is wrong is an auth error of the operation", function()
    local client = assert(starvideos.new(config {
      transport = function()
        return { status = 200, headers = {},
                 body = '{"code":"204","msg":"登录验证失败"}' }
      end }))
    local _, err = client:create { model = "videos", prompt = "a", duration = 5 }
    assert.equal("auth", err.kind)
  end)

  it("that is empty is reported at once by what needs it, alone", function()
    local sent, slept = 0, 0
    local now = 0
    local client = assert(starvideos.new(config { api_key = "",
      transport = function() sent = sent + 1 end,
      clock = function() return now end,
      sleep = function(seconds)
        slept, now = slept + 1, now + seconds
        return true
      end }))
    local order = { model = "videos", prompt = "a kite", duration = 5 }
    assert.is_true((client:validate(order)))
    assert.is_true(#client:models() >= 5)
    local operations = {
      function() return client:create(order) end,
      function() return client:query "video_1" end,
      function() return client:wait "video_1" end,
    }
    for _, operation in ipairs(operations) do
      local result, err = operation()
      assert.is_nil(result)
      assert.equal("config", err.kind)
      assert.truthy(err.message:find("key", 1, true))
    end
    assert.equal(0, sent)
    assert.equal(0, slept)
  end)
end)

describe("the price of an order", function()
  local order = { model = "videos", prompt = "a kite", duration = 5 }
  local prices = { currency = "USD",
    models = { videos = { per_second = 0.1 } } }

  it("follows the warnings of validate", function()
    local client = assert(starvideos.new(config { prices = prices }))
    assert.same({ true, {}, { cost = 0.5, currency = "USD",
      millionths = 500000 }, nil, "text" }, { client:validate(order) })
    local ok, _, price, why = client:validate { model = "videos_fast",
      prompt = "a kite", duration = 5 }
    assert.is_true(ok)
    assert.is_nil(price)
    assert.equal("no price is given for the model videos_fast", why)
  end)

  it("is left out where the order is refused, or nobody gave prices", function()
    local client = assert(starvideos.new(config { prices = prices }))
    assert.equal(2, select("#", client:validate { model = "videos" }))
    assert.same({ true, {}, nil, nil, "text" },
      { assert(starvideos.new(config())):validate(order) })
  end)

  it("stands before the mode, which the list of a check has, too", function()
    local client = assert(starvideos.new(config()))
    local params = { model = "videos", prompt = "a kite", duration = 5,
      referenceImages = { "https://a.test/1.png" },
      referenceAudios = { "https://a.test/1.mp3" } }
    assert.equal("image reference with audio", (select(5, client:validate(params))))
    params.key = "kite"
    assert.equal("image reference with audio",
      assert(client:validate_all { params }).entries[1].mode)
  end)

  it("keeps a client from being made where it is none", function()
    local client, err = starvideos.new(config { prices = { currency = "USD",
      models = { videos = { per_second = -1 } } } })
    assert.is_nil(client)
    assert.equal("config", err.kind)
    assert.truthy(err.message:find("models.videos.per_second is -1", 1, true))
    assert.has_error(function() starvideos.new(config { prices = 5 }) end)
  end)
end)

describe("a secret", function()
  it("is in no tostring or dump of the client", function()
    local client = assert(starvideos.new(config()))
    assert(client:query "video_1")
    assert.is_nil(tostring(client):find(KEY, 1, true))
    assert.same({}, places_of(KEY, client))
  end)

  it("is in no error, though the provider repeats the key", function()
    for _, status in ipairs { 200, 400, 401, 404, 429, 500 } do
      for _, body in ipairs {
        '{"code":401,"msg":"unknown key ' .. KEY .. '"}',
        '{"error":{"code":"' .. KEY .. '","message":"Bearer ' .. KEY .. '"}}',
        "<html>Authorization: Bearer " .. KEY .. "</html>",
      } do
        local client = assert(starvideos.new(config {
          transport = function()
            return { status = status, headers = {}, body = body }
          end }))
        local order = { model = "videos", prompt = "a", duration = 5 }
        for _, err in ipairs { select(2, client:create(order)),
                               (select(2, client:query "a")) } do
          assert.is_nil(tostring(err):find(KEY, 1, true))
          assert.same({}, places_of(KEY, err))
        end
      end
    end
  end)

  it("is in no error, though the provider repeats it with escapes", function()
    local key = "sk/9Zq7+secret"
    for _, written in ipairs { "sk\\/9Zq7+secret", "\\u0073k/9Zq7+secret" } do
      local client = assert(starvideos.new(config {
        api_key = key,
        transport = function()
          return { status = 401, headers = {},
                   body = '{"error":{"message":"unknown: ' .. written .. '"}}' }
        end }))
      local _, err = client:query "a"
      assert.same({}, places_of(key, err))
    end
  end)

  it("is in no error, though the transport repeats it", function()
    local client = assert(starvideos.new(config {
      transport = function()
        return nil, { reason = "reset", sent = true,
                      message = "lost Bearer " .. KEY }
      end }))
    local _, err = client:query "video_1"
    assert.same({}, places_of(KEY, err))
  end)

  it("is in no event: neither the key nor a signed link", function()
    local events = {}
    local bodies = {
      '{"id":"video_1","status":"queued"}',
      '{"id":"video_1","status":"completed",'
        .. '"video_url":"https://media.test/1.mp4?sign=SESAME"}',
      '{"code":401,"msg":"key ' .. KEY .. ', https://m.test/1?sign=SESAME"}',
    }
    local n = 0
    local client = assert(starvideos.new(config {
      transport = function()
        n = n + 1
        return { status = 200, headers = {}, body = bodies[n] }
      end,
      on_event = function(event) events[#events + 1] = event end }))
    client:create { model = "videos", prompt = "a kite", duration = 5 }
    client:query "video_1"
    client:query "video_1"
    assert.is_true(#events > 0)
    for _, event in ipairs(events) do assert.is_string(event.name) end
    assert.same({}, places_of(KEY, events))
    assert.same({}, places_of("SESAME", events))
  end)
end)

describe("a client", function()
  it("is its own: key, edition and base URL of another do not matter", function()
    local seen = {}
    local function client_of(name, edition)
      return assert(starvideos.new(config {
        api_key = name, edition = edition, base_url = "https://" .. name
          .. ".test/kyyReactApiServer",
        transport = function(req)
          seen[#seen + 1] = req.headers.Authorization .. " " .. req.url
          return { status = 200, headers = {}, body = RUNNING }
        end }))
    end
    local first, second = client_of("one", "xingchao"), client_of("two", "mingyan")
    assert(first:query "a")
    assert(second:query "a")
    assert.same({ "Bearer one https://one.test/kyyReactApiServer/v1/result/a",
                  "Bearer two https://two.test/kyyReactApiServer/v1/result/a" },
      seen)
    local order = { model = "videos_fast", prompt = "a kite", duration = 5 }
    assert.is_true((first:validate(order)))
    assert.is_nil((second:validate(order)))
  end)

  for _, wrong in ipairs { { "edition", "tokyo" }, { "transport", "curl" },
                           { "clock", 5 }, { "timeout", "soon" },
                           { "on_event", true } } do
    it("raises for a wrong " .. wrong[1], function()
      assert.has_error(function()
        starvideos.new(config { [wrong[1]] = wrong[2] })
      end)
    end)
  end

  it("can be closed, and closed again", function()
    local client = assert(starvideos.new(config()))
    client:close()
    client:close()
  end)
end)

describe("the module functions", function()
  --- Loads the library again, in an environment of its own.
  local function loaded_with(environment)
    local getenv, kept = core.getenv, {}
    for name in pairs(package.loaded) do
      if name:find("^starvideos") and not name:find("%.core$")
          and not name:find("%.curl$") then
        kept[name] = package.loaded[name]
      end
    end
    for name in pairs(kept) do package.loaded[name] = nil end
    core.getenv = function(name) return environment[name] end
    finally(function()
      core.getenv = getenv
      for name, module in pairs(kept) do package.loaded[name] = module end
    end)
    return require "starvideos"
  end

  local order = { model = "videos", prompt = "a kite", duration = 5 }

  it("check and list without a key", function()
    local fresh = loaded_with {}
    assert.is_true((fresh.validate(order)))
    local ok, err = fresh.validate { model = "videos", prompt = "" }
    assert.is_nil(ok)
    assert.equal("validation", err.kind)
    assert.is_true(#fresh.models() >= 5)
  end)

  it("name the variable to set where the key is missing", function()
    for _, environment in ipairs { {}, { STARVIDEOS_API_KEY = "" } } do
      local fresh = loaded_with(environment)
      for _, call in ipairs { function() return fresh.create(order) end,
                              function() return fresh.query "video_1" end } do
        local result, err = call()
        assert.is_nil(result)
        assert.equal("config", err.kind)
        assert.truthy(err.message:find("STARVIDEOS_API_KEY", 1, true))
      end
    end
  end)

  it("read the base URL from the environment", function()
    local fresh = loaded_with { STARVIDEOS_API_KEY = KEY,
                                STARVIDEOS_BASE_URL = "ftp://gw.test" }
    local result, err = fresh.create(order)
    assert.is_nil(result)
    assert.equal("config", err.kind)
  end)

  it("refuse a key of the environment that holds a line break", function()
    local fresh = loaded_with { STARVIDEOS_API_KEY = KEY .. "\nX: y" }
    local result, err = fresh.create(order)
    assert.is_nil(result)
    assert.equal("config", err.kind)
    assert.is_nil(tostring(err):find(KEY, 1, true))
  end)
end)

describe("a misuse", function()
  local order = { model = "videos", prompt = "a kite", duration = 5 }
  local client = assert(starvideos.new(config()))
  local misuses = {
    ["of no client"] = function() client.query({}, "a") end,
    ["of a closed client"] = function()
      local closed = assert(starvideos.new(config()))
      closed:close()
      closed:query "a"
    end,
    ["of starvideos.new"] = function() starvideos.new { key = "k" } end,
    ["of a runtime"] = function() starvideos.new { runtime = "ngx" } end,
    ["of parameters"] = function() client:create "a kite" end,
    ["of parameters to check"] = function() client:validate() end,
    ["of a task"] = function() client:wait {} end,
    ["of an order for a task"] = function()
      client:wait { id = "a", state = "unknown", attempts = 1 }
    end,
    ["of a task in a list"] = function() client:wait_all { "a", 5 } end,
    ["of a list"] = function() client:wait_all "a" end,
    ["of a path"] = function() client:download("a", "") end,
    ["of an option"] = function() client:create(order, { kay = "a" }) end,
    ["of an option's type"] = function() client:query("a", { max_age = "a" }) end,
    ["of what an option needs"] = function()
      client:create(order, { key = "a" })
    end,
    ["of an option that is missing"] = function() client:generate(order, {}) end,
    ["of a ledger"] = function() client:dismiss("a") end,
    ["of another runtime's call"] = function() client:async(print) end,
    ["of the poll runtime's call"] = function() client:pollfd() end,
    ["of seconds"] = function() client:sleep(-1) end,
  }
  for name, misuse in pairs(misuses) do
    it(name .. " names the line of the caller", function()
      local line = debug.getinfo(misuse, "S").linedefined
      local ok, message = pcall(misuse)
      assert.is_false(ok)
      local named = tonumber(tostring(message):match "client_spec.lua:(%d+): ")
      assert.is_truthy(named, message)
      assert.is_true(named >= line and named <= line + 4, message)
    end)
  end
end)
