-- Workers whose ledger is a file.

describe("a ledger in a file", function()
  require "spec.ledger.working"(function()
    return nil
  end)
end)
