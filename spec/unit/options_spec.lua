local starvideos = require "starvideos"

describe("the options of a call", function()
  it("are named in the error when misspelt", function()
    local ok, message = pcall(starvideos.new, { apikey = "x" })
    assert.is_false(ok)
    assert.truthy(message:find('no option "apikey", so nothing was sent; it'
      .. " takes account, api_key, ", 1, true), message)
  end)

  it("are refused with what would be right", function()
    for option, wrong in pairs { timeout = "60", api_key = 5, validation = "x",
      edition = "nowhere", transport = {}, max_in_flight = 0.5,
      connect_timeout = 0 / 0, insecure_http = 1 } do
      local ok, message = pcall(starvideos.new, { [option] = wrong })
      assert.is_false(ok)
      assert.truthy(message:find("option " .. option .. " of new must be", 1,
        true), message)
    end
  end)

  it("are refused where a NUL would end a path", function()
    for _, option in ipairs { "ledger", "ca_file" } do
      local _, message = pcall(starvideos.new, { [option] = "/tmp/a\0b" })
      assert.truthy(tostring(message):find("option " .. option, 1, true), message)
    end
  end)

  for what, ledger in pairs { empty = "", blank = " \t\n" } do
    it("name a ledger, by no text that is " .. what, function()
      local ok, message = pcall(starvideos.new, { ledger = ledger })
      assert.is_false(ok)
      assert.truthy(message:find("option ledger of new must be", 1, true),
        message)
    end)
  end

  it("must be a table", function()
    local client = assert(starvideos.new {})
    assert.has_error(function() client:wait("id", 900) end)
  end)

  it("are blamed on the line that wrote them", function()
    local client = assert(starvideos.new {})
    local _, message = pcall(function()
      client:wait("id", { timeuot = 5 })
    end)
    assert.truthy(message:find("options_spec", 1, true), message)
  end)
end)
