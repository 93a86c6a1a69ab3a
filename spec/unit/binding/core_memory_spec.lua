-- Whatever stands in a table, the core neither crashes nor gives out a result
-- that is not as promised. Meant to be run under a memory checker too.

local core = require "starvideos.core"
local collector = require "spec.fixtures.collector"

local ROUNDS = 10000
local known = {}
for _, list in ipairs { "codes", "warning_codes" } do
  for _, code in ipairs(core[list]) do known[code] = list end
end

--- The same numbers under every Lua, unlike math.random's.
local function generator(state)
  return function(n)
    state = state * 16807 % 2147483647
    return state % n + 1
  end
end

local random = generator(20240611)
local fields = {}
for index, field in ipairs(core.fields()) do fields[index] = field.name end
for _, name in ipairs { "promt", "url", "bytes", "width" } do
  fields[#fields + 1] = name
end
local words = { "", "videos", "starvideos_o3", "videos_fast", "videos_stable",
  "https://h/x", "ftp://h", "16:9", "720p", "\0", "\255", "\227\128\128",
  ("x"):rep(300), ("\228\184\173"):rep(6000), "%s%n", "https://\27[0m" }
local numbers = { 0, -0.0, 1, 4, 15, 8.5, -1, 0 / 0, math.huge, -math.huge,
  2 ^ 31, 2 ^ 53, 2 ^ 63, 1e300, 5e-324 }
local others = { true, false, print, function() end,
  coroutine.create(function() end), io.stdout, require("cjson").null,
  core.catalog {} }

local function pick(list)
  return list[random(#list)]
end

local any_table

local function any_value(depth)
  local kind = random(10)
  if kind <= 4 then return pick(words) end
  if kind <= 6 then return pick(numbers) end
  if kind == 7 then return pick(others) end
  return any_table(depth - 1)
end

local function any_key()
  local kind = random(10)
  if kind <= 6 then return pick(fields) end
  if kind <= 8 then return random(4) end
  local key = kind == 9 and pick(numbers) or pick(others)
  return key == key and key or "nan"
end

function any_table(depth)
  local made = {}
  if depth <= 0 then return made end
  for _ = 1, random(6) - 1 do
    made[any_key()] = any_value(depth)
  end
  return made
end

local function any_params()
  local params = any_table(4)
  for i = 1, 12 do
    if random(3) == 1 then params[fields[i]] = any_value(4) end
  end
  return params
end

local function is_actual(value)
  return value == nil or type(value) == "string"
    or type(value) == "number" and value == value
end

local function is_well_formed(issue, list)
  local field, message = issue.field, issue.message
  return known[issue.code] == list and field ~= ""
    and message:sub(1, #field + 1) == field .. " "
    and not message:find("%c") and message:sub(-1) ~= "."
    and is_actual(issue.limit) and is_actual(issue.actual)
end

--- Checked without assert's bookkeeping, which would cost more than the rest.
local function check(issues, list)
  if not issues then return end
  if #issues == 0 then error "an empty list" end
  for _, issue in ipairs(issues) do
    if not is_well_formed(issue, list) then
      error("not well-formed: " .. tostring(issue.message))
    end
  end
end

local function validate(catalog, params)
  local ok, first, second = catalog:validate(params)
  if ok == true then
    check(first, "warning_codes")
  elseif ok == false and first then
    check(first, "codes")
    check(second, "warning_codes")
  else
    error "neither true, nor false with violations"
  end
  return ok, first
end

--- Has the collector at work at every allocation of f.
local function under_pressure(f)
  local pause = collector.tune("pause", 1)
  local step = collector.tune("stepmul", 10000)
  collectgarbage()
  local ok, message = pcall(f)
  collector.tune("pause", pause)
  collector.tune("stepmul", step)
  assert(ok, message)
end

describe("random values", function()
  it("get a well-formed answer from every edition", function()
    local catalogs = { core.catalog {}, core.catalog { edition = "xingchao" },
      core.catalog { edition = "mingyan" } }
    for round = 1, ROUNDS do
      validate(catalogs[round % 3 + 1], any_params())
    end
  end)

  it("make a catalog or an error, and nothing else", function()
    local made = { "name", "endpoint", "prompt", "duration", "ratio",
      "referenceImages", "max", "values", "editions" }
    for _ = 1, 2000 do
      local row = { name = "x", endpoint = "/x" }
      for _ = 1, random(4) do row[pick(made)] = any_value(3) end
      local ok, catalog = pcall(core.catalog, { models = { row } })
      if ok then
        validate(catalog, { model = "x", prompt = "x" })
        core.catalog { models = catalog:models() }
      end
    end
  end)
end)

describe("a request of 10,000 entries", function()
  local COUNT = 10000
  local catalog = core.catalog {}

  it("has each unknown field named, in order", function()
    local params = { model = "videos", prompt = "x", duration = 5 }
    for i = 1, COUNT do params[("field%05d"):format(i)] = i end
    local ok, violations = validate(catalog, params)
    assert.is_false(ok)
    assert.equal(COUNT, #violations)
    for i = 1, COUNT do
      assert.equal(("field%05d"):format(i), violations[i].field)
    end
  end)

  it("has each reference looked at, in order", function()
    local urls = {}
    for i = COUNT, 1, -1 do urls[i] = "ftp://h/" .. i end
    local _, violations = validate(catalog, { model = "videos", prompt = "x",
      duration = 5, referenceImages = urls })
    assert.equal(COUNT + 1, #violations)
    assert.equal("too_many", violations[1].code)
    assert.equal(COUNT, violations[1].actual)
    assert.equal("referenceImages[10000]", violations[COUNT + 1].field)
  end)

  it("is not followed deeper than a medium", function()
    local deep = {}
    for _ = 1, COUNT do deep = { deep, url = deep } end
    assert.is_false((validate(catalog, { model = "videos", prompt = "x",
      duration = 5, referenceImages = deep })))
  end)

  it("may hold itself", function()
    local params = { model = "videos", prompt = "x", duration = 5 }
    params.referenceImages, params.first_image = params, params
    params.last_image, params.self = { params }, params
    assert.is_false((validate(catalog, params)))
  end)
end)

describe("the collector", function()
  it("takes nothing that validate still looks at", function()
    local catalog = core.catalog { models = {
      { name = "x", endpoint = "/x", referenceImages = {} } } }
    for round = 1, 20 do
      local urls = {}
      for i = 1, 60 do urls[i] = ("https://h/%d/%d"):format(round, i) end
      urls[61] = ("ftp://h/%d/%s"):format(round, ("x"):rep(100))
      local params = setmetatable({ model = "x", prompt = "x",
        referenceImages = urls }, { __mode = "v" })
      under_pressure(function()
        urls = nil
        validate(catalog, params)
      end)
    end
  end)

  it("takes no word of a row that an __index made up", function()
    local row = setmetatable({}, { __index = function(_, key)
      collectgarbage()
      if key == "name" then return "name" .. ("y"):rep(60) .. random(9) end
      if key == "endpoint" then return "/" .. ("z"):rep(60) .. random(9) end
    end })
    local made = core.catalog { models = { row } }:models()[6]
    assert.truthy(made.name:find("^namey+%d$"))
    assert.truthy(made.endpoint:find("^/z+%d$"))
  end)

  it("closes a catalog once, whoever asks", function()
    local catalog = core.catalog {}
    local close = getmetatable(catalog).__gc
    close(catalog)
    close(catalog)
    assert.same({}, catalog:models())
    assert.is_false((validate(catalog, { model = "videos", prompt = "x" })))
  end)
end)
