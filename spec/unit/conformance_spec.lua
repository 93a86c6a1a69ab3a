-- The rules of the provider's documents, as spec/conformance.lua lists them: each holds in
-- the catalog and in the sandbox, which was written apart, and neither has a limit that no
-- rule names.

local c_locale = require "starvideos.base.c_locale"
local cjson = require "cjson"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local groups = require "spec.conformance"
local limits = require "starvideos.sandbox.limits"
local refusal = require "starvideos.sandbox.refusal"
local starvideos = require "starvideos"

local sent
local clients = {}
for _, edition in ipairs { "", "xingchao", "mingyan" } do
  clients[edition] = assert(starvideos.new { api_key = "test-key",
    edition = edition ~= "" and edition or nil, transport = function(request)
      sent = request.body
      return { status = 200, headers = {}, body = '{"id":"video_1","status":"queued"}' }
    end })
end

local function limits_of(edition)
  return limits.of(edition ~= "" and edition or nil)
end

-- Ten seconds are what every model takes without advice.
local function order(model, changes)
  local params = { model = model, prompt = "a kite", duration = 10 }
  for name, value in pairs(changes) do
    params[name] = value or nil
  end
  return params
end

-- The sandbox reads the facts of a medium in its URL.
local function on_the_wire(value)
  if type(value) ~= "table" then
    return value
  elseif value.url then
    local facts = { value.url .. "?" }
    for _, fact in ipairs { "bytes", "duration", "width", "height" } do
      facts[#facts + 1] = value[fact]
        and "sandbox_" .. fact .. "=" .. c_locale.number("%.14g", value[fact])
    end
    return table.concat(facts, "&")
  end
  local copy = {}
  for name, item in pairs(value) do
    copy[name] = on_the_wire(item)
  end
  return copy
end

-- What becomes of a case, and what should. The sandbox must judge as validate does.
local check = {}
function check.warns(model, edition, case)
  local params, models, told = order(model, case[1]), limits_of(edition), {}
  local taken, found = clients[edition]:validate(params)
  local refused = refusal.of(on_the_wire(params), models[model].path, models)
  assert.equal(taken == true, refused == nil, taken and refused and refused.body or tostring(found))
  for index, warning in ipairs(taken and found or {}) do
    told[index] = warning.field .. " " .. warning.code
  end
  return taken and table.concat(told, ", ") or nil, case[2]
end
function check.takes(model, edition, changes)
  return check.warns(model, edition, { changes }) ~= nil, true
end
function check.refuses(model, edition, changes)
  return check.warns(model, edition, { changes }), nil
end
function check.body(model, edition, case)
  assert(clients[edition]:create(order(model, case[1])))
  return cjson.decode(sent), order(model, case[2])
end

function check.mode(model, edition, case)
  return select(5, clients[edition]:validate(order(model, case[1]))), case[2]
end

-- Every model and edition of a group.
local function columns(group)
  return group.columns:gmatch "([%w_]+)@?(%w*)"
end

for _, group in ipairs(groups) do
  local documents = "document " .. table.concat(group.documents, ", ")
  for _, row in ipairs(group) do
    it(("%s, %s: %s"):format(documents, row[1], row[2]), function()
      local count = row.says and 1 or 0
      for model, edition in columns(group) do
        for kind, judge in pairs(check) do
          for index, case in ipairs(row[kind] or {}) do
            local found, wanted = judge(model, edition, case)
            assert.same(wanted, found, ("%s of %s@%s, case %d"):format(kind, model, edition, index))
            count = count + 1
          end
        end
      end
      for _, place in ipairs(row.held_by or {}) do
        local found = false
        for line in assert(files.read(place[1]), place[1]):gmatch "[^\n]+" do
          found = found or line:find "%f[%w]it[ (]" and line:find(place[2], 1, true)
        end
        assert.truthy(found, table.concat(place, ": "))
        count = count + 1
      end
      assert.is_true(count > 0)
    end)
  end
end

-- { ["duration.min"] = 4 } of { duration = { min = 4 } }; a list is its words.
local function leaves(row, prefix, found)
  for name, value in pairs(row) do
    local path = prefix .. name
    assert(found[path] == nil, path .. " is said twice")
    if type(value) == "table" and value[1] == nil then
      leaves(value, path .. ".", found)
    elseif type(value) == "table" then
      found[path] = table.concat(value, ", ")
      found[path .. ".default"] = value.default
    else
      found[path] = value
    end
  end
  return found
end

-- What the rules say of the models of each edition.
local said = { [""] = {}, xingchao = {}, mingyan = {} }
for _, group in ipairs(groups) do
  for model, edition in columns(group) do
    for _, row in ipairs(group) do
      said[edition][model] = leaves(row.says or {}, "", said[edition][model] or {})
    end
  end
end

-- The catalog's names for those of the sandbox; the rest have the same ones.
local NAMES = { path = "endpoint", prompt = "prompt.max", duration = "duration.min, duration.max",
  ratio = "ratio.values", resolution = "resolution.values", aliases = "frames.legacy_aliases",
  beside_video = "max_with_video", bytes = "max_bytes", bytes_below = "max_bytes",
  total_seconds = "total_duration", seconds = "min_duration, max_duration",
  pixels = "min_pixels, max_pixels", leads = "sets_output" }

local function said_of(rules, path)
  local list, name = path:match "^(reference%a+%.)(.*)$"
  return ((NAMES[name or path] or name or path):gsub("[^, ]+", function(word)
    return tostring(rules[(list or "") .. word])
  end))
end

describe("the rules", function()
  for edition, models in pairs(said) do
    it(("are all that the catalog has, edition %q"):format(edition), function()
      local found = {}
      for _, row in ipairs(clients[edition]:models()) do
        local name = row.name
        row.name, row.best_for = nil, nil
        found[name] = leaves(row, "", {})
      end
      assert.same(models, found)
    end)

    it(("are all that the sandbox has, edition %q"):format(edition), function()
      for model, row in pairs(limits_of(edition)) do
        for path, value in pairs(leaves(row, "", {})) do
          assert.equal(said_of(models[model], path), tostring(value), model .. ": " .. path)
        end
      end
    end)
  end

  it("have a case for every field", function()
    local cases, fields = {}, {}
    for _, group in ipairs(groups) do
      for _, row in ipairs(group) do
        for _, changes in ipairs(row.refuses or {}) do
          for name in pairs(changes) do cases[name] = true end
        end
      end
    end
    for _, field in ipairs(core.fields()) do fields[field.name] = true end
    for _, field in ipairs(limits.fields) do
      fields[field.name], fields[field.alias or field.name] = true, true
    end
    assert.same(fields, cases)
  end)
end)
