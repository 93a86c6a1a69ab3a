local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local applications = require "starvideos.gateway.application"

describe("the settings of a gateway", function()
  local folder

  before_each(function()
    folder = files.folder()
  end)

  after_each(function()
    files.remove(folder)
  end)

  local function read(text)
    local file = assert(io.open(folder .. "/settings.json", "wb"))
    file:write(type(text) == "table" and json.encode(text) or text)
    file:close()
    return applications.read_settings(folder)
  end

  local function given(more)
    local object = { hosts = { "localhost:8080" }, ledger = "/x/ledger.db" }
    for name, value in pairs(more or {}) do
      object[name] = value
    end
    return object
  end

  it("lie beside the files of the gateway, unless they name another folder",
    function()
      assert.equal(folder, assert(read(given())).folder)
      assert.equal("/var/lib/x",
        assert(read(given { folder = "/var/lib/x" })).folder)
    end)

  for _, case in ipairs {
    { "a file that is not there", nil, "cannot read" },
    { "what is no JSON", "{", "no JSON" },
    { "what is no object", "7", "no JSON object" },
    { "a setting that nobody reads", given { colour = "red" }, "colour" },
    { "a path that is not absolute", given { callers = "c.json" }, "callers" },
    { "a number in quotes", given { keep_days = "7" }, "keep_days" },
    { "hosts without a name", given { hosts = { "" } }, "hosts" },
    { "no hosts", { ledger = "/x/ledger.db" }, "hosts is missing" },
  } do
    it("are refused with the reason: " .. case[1], function()
      local found, why
      if case[2] then
        found, why = read(case[2])
      else
        found, why = applications.read_settings(folder)
      end
      assert.is_nil(found)
      assert.truthy(why:find(case[3], 1, true), why)
      assert.truthy(why:find("settings.json", 1, true), why)
    end)
  end
end)
