-- What users, operators and callers write is read to its end or refused with the
-- place: nothing behind a whole value is dropped in silence.

local body = require "starvideos.gateway.body"
local callers = require "starvideos.gateway.callers"
local catalog = require "starvideos.core"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local manifest = require "starvideos.fleet.manifest"
local commands = require "starvideos.cli.commands"
local prices = require "starvideos.provider.prices"
local applications = require "starvideos.gateway.application"

describe("what follows a whole value", function()
  local folder

  before_each(function()
    folder = files.folder()
  end)

  after_each(function()
    files.remove(folder)
  end)

  local function written(name, text)
    files.write(folder .. "/" .. name, text)
    return folder .. "/" .. name
  end

  local function fault_of(_, err)
    return err and tostring(err.message or err)
  end

  -- Each gives what is wrong with a text, or nil.
  local readers = {
    ["a line of a manifest"] = { '{"path":"a.mp4"}', function(text)
      local violation = assert(manifest.read(text)).violations[1]
      return violation and violation.message
    end },
    ["--params"] = { '{"prompt":"a kite"}', function(text)
      return fault_of(commands.params({ params = written("params", text) }, {}))
    end },
    ["--prices"] = { '{"currency":"USD","models":{}}', function(text)
      return fault_of(prices.load(written("prices", text), catalog))
    end },
    ["a callers file"] = { '{"callers":[{"name":"ann","token_sha256":"'
      .. ("a"):rep(64) .. '"}]}', function(text)
      return fault_of(callers.parse(text))
    end },
    ["the settings of a gateway"] = { '{"hosts":["h:1"],"ledger":"/x.db"}',
      function(text)
        written("settings.json", text)
        return fault_of(applications.read_settings(folder))
      end },
    ["the body of a request"] = { '{"prompt":"a kite"}', function(text)
      return fault_of(body.parse("application/json", text))
    end },
  }

  for name, reader in pairs(readers) do
    local value, fault = reader[1], reader[2]

    it("of " .. name .. " may be blanks", function()
      assert.is_nil(fault(value))
      assert.is_nil(fault(value .. " \t\r\n"))
    end)

    it("of " .. name .. " is refused with its place", function()
      for _, rest in ipairs { "\0", "\0\0", "\0" .. value, "\0\0x", " \0 " .. value,
        "x", value, "}", " // a comment", "\r" .. value } do
        local why = fault(value .. rest)
        local at = #value + rest:find "[^ \r]"
        assert.truthy(why, ("%q"):format(rest))
        assert.truthy(why:find("character " .. at, 1, true), why)
      end
    end)
  end

  it("of a prompt is refused: a file of several, or one in UTF-16", function()
    for text, at in pairs { ["a kite\0a dog\0"] = 7, ["a\0k\0"] = 2 } do
      local stdin = { read = function() return text end }
      for _, given in ipairs { { { prompt_file = written("prompt", text) }, {} },
        { { prompt = "-" }, { stdin = stdin } } } do
        local why = fault_of(commands.params(given[1], given[2]))
        assert.truthy(why and why:find("at byte " .. at, 1, true), why)
      end
    end
  end)

  it("has a line and a column where there are several lines", function()
    for text, place in pairs { ["{}\n\n  \0{}"] = "line 3, column 3",
      ["{\n}\n{}"] = "line 3, column 1", ["{\n}x"] = "line 2, column 2" } do
      assert.truthy(select(2, json.decode(text)):find(place, 1, true))
    end
  end)

  it("makes one fault, and no order, of a list whose orders a NUL separates",
    function()
      local order = '{"path":"a.mp4","model":"videos","prompt":"a kite"}'
      local list = assert(manifest.read((order .. "\0"):rep(3)))
      assert.equal(0, #list)
      assert.equal(1, list.violations[1].line)
    end)

  it("is no matter in a text that a NUL ends within a value", function()
    for _, text in ipairs { '{"a":1\0}', '"a\0"', "\0", "1\0", "null\0x" } do
      local value, why = json.decode(text)
      assert.is_nil(value)
      assert.is_string(why)
    end
  end)
end)
