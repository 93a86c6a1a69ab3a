-- Which addresses of a ledger on a server leave open whether it is encrypted.

local command = require "spec.fixtures.command"
local environments = require "spec.fixtures.process"
local locations = require "starvideos.ledger.location"
local starvideos = require "starvideos"

local FAR = "postgres://me@db.example/videos"

describe("a ledger on another machine", function()
  local function set(name, value)
    environments.set(name, value)
    finally(function() environments.set(name, nil) end)
  end

  for _, address in ipairs { FAR, "postgresql://db.example:5432,localhost/d",
    "postgres://localhost,10.0.0.7/d", "postgres:///d?host=db.example",
    "postgres:///d?hostaddr=10.0.0.7", "postgres://[2001:db8::1]:5432/d",
    FAR .. "?connect_timeout=3" } do
    it("may be unencrypted: " .. address, function()
      assert.truthy(locations.unencrypted(address):find("sslmode", 1, true))
    end)
  end

  for _, address in ipairs { FAR .. "?sslmode=require",
    FAR .. "?a=b&sslmode=disable", "postgres://localhost/d", "postgres://127.0.0.1/d",
    "postgres://[::1]:5432/d", "postgres:///d", "postgres:///d?host=/run/postgresql",
    "postgres://%2Frun%2Fpostgresql/d", "postgres:///?service=videos", "videos.db",
    "xyz://db.example", ":memory:" } do
    it("needs no warning: " .. address, function()
      assert.is_nil(locations.unencrypted(address))
    end)
  end

  it("is judged by the environment of libpq, too", function()
    set("PGHOST", "db.example")
    assert.truthy(locations.unencrypted "postgres:///d")
    set("PGSSLMODE", "verify-full")
    assert.is_nil(locations.unencrypted "postgres:///d")
  end)

  it("is told of once, when its client is made", function()
    local told = {}
    local client = assert(starvideos.new { api_key = "key", ledger = FAR,
      on_event = function(event) told[#told + 1] = event end })
    client:close()
    assert.equal(1, #told)
    assert.equal("unencrypted", told[1].notice)
    assert.truthy(told[1].reason:find("db.example may be unencrypted", 1, true))
  end)

  it("is told of by the command, and by doctor with the cure", function()
    local _, _, err = command.run({ "models" }, { ledger = FAR })
    assert.truthy(err:find("warning: the connection to the ledger's PostgreSQL"
      .. " server db.example may be unencrypted", 1, true), err)
    local _, out = command.run { "doctor", "--offline", "--ledger", FAR }
    assert.truthy(out:find("optional  encryption", 1, true), out)
    assert.truthy(out:find("?sslmode=verify-full", 1, true), out)
  end)
end)
