-- Workers whose ledger is on a PostgreSQL server: all that they do with one in a file.

local postgres = require "spec.fixtures.postgres"
local working = require "spec.ledger.working"

describe("a ledger on a server", function()
  local server

  setup(function()
    server = postgres.start()
  end)

  teardown(function()
    assert.is_true(server:stop())
  end)

  working(function()
    server:clear()
    return server.url
  end)
end)
