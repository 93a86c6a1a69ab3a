local answers = require "starvideos.host.resty_http.answer"

local unpack = table.unpack or unpack -- luacheck: ignore 143

describe("an answer of lua-resty-http", function()
  local function res(status, headers, ...)
    local results, next_one = { ... }, 0
    return { status = status, headers = headers, has_body = #results > 0,
      body_reader = function()
        next_one = next_one + 1
        return unpack(results[next_one] or {}, 1, 2)
      end }
  end

  local function read(answer)
    local pieces = {}
    local ok, failure = answers.read(answer, function(piece)
      pieces[#pieces + 1] = piece
      return true
    end)
    return ok and table.concat(pieces) or nil, failure
  end

  it("has headers of one form", function()
    local answer = assert(answers.head(res(200, { ["Content-Length"] = "3",
      Via = { "a", "b" } }, { "abc" })))
    assert.same({ ["content-length"] = "3", via = "a, b" }, answer.headers)
    assert.equal(3, answer.length)
    assert.is_false(answer.open_end)
    assert.equal("abc", read(answer))
  end)

  it("has no length where it comes in chunks, and none to come without a body",
    function()
      local answer = answers.head(res(200, { ["Transfer-Encoding"] = "Chunked",
        ["Content-Length"] = "7" }, { "a" }))
      assert.is_nil(answer.length)
      assert.is_false(answer.open_end)
      answer = answers.head(res(204, {}))
      assert.equal(0, answer.length)
      assert.equal("", read(answer))
    end)

  it("is refused where its head cannot be believed", function()
    for status, headers in pairs { [100] = {}, [1000] = {},
      [200] = { ["Content-Length"] = "-7" },
      [201] = { ["Content-Length"] = { "5", "5" } },
      [202] = { ["Transfer-Encoding"] = "gzip" } } do
      local answer, failure = answers.head(res(status, headers, { "a" }))
      assert.is_nil(answer)
      assert.equal("protocol", failure.reason)
      assert.equal(status > 100 and status or nil, failure.status)
    end
  end)

  it("ends with its connection where no length is told", function()
    local answer = answers.head(res(200, {}, { "ab" }, { "c", "closed" }))
    assert.equal("abc", read(answer))
  end)

  local cut = {
    reset = { { "ab" }, { nil, "closed" } },
    timeout = { { "ab" }, { nil, "timeout" } },
  }
  for reason, pieces in pairs(cut) do
    it("fails where it is cut: " .. reason, function()
      local answer = answers.head(res(200, { ["Content-Length"] = "9" },
        unpack(pieces)))
      local body, failure = read(answer)
      assert.is_nil(body)
      assert.equal(reason, failure.reason)
    end)
  end

  it("fails where it only goes silent, though no length is told", function()
    local body, failure = read(answers.head(res(200, {}, { "ab" }, {})))
    assert.is_nil(body)
    assert.equal("reset", failure.reason)
  end)

  it("is not quoted in a message", function()
    local failure = answers.failure("head",
      "couldn't parse HTTP version from response status line: secret")
    assert.equal("protocol", failure.reason)
    assert.is_nil(failure.message:find("secret", 1, true))
  end)

  it("has a reason where no connection was made", function()
    for err, reason in pairs {
      ["nowhere.invalid could not be resolved (3: Host not found)"] = "resolve",
      ["no resolver defined to resolve \"h\""] = "resolve",
      ["timeout"] = "timeout", ["connection refused"] = "connect",
      ["handshake failed"] = "tls", ["certificate host mismatch"] = "tls",
      ["20: unable to get local issuer"] = "tls",
    } do
      local failure = answers.failure("connect", err)
      assert.equal(reason, failure.reason)
    end
  end)
end)
