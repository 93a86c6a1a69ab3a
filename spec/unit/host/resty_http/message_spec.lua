local message = require "starvideos.host.resty_http.message"

describe("a request that is to be sent", function()
  it("is handed over piece by piece", function()
    local told = {}
    local parameters = message.parameters({ method = "POST",
      body = ("x"):rep(100000) }, "/a?b", function(bytes, whole)
      told[#told + 1] = ("%d %s"):format(bytes, tostring(whole))
    end)
    local sizes = {}
    for piece in parameters.body do
      sizes[#sizes + 1] = #piece
    end
    assert.same({ 65536, 34464 }, sizes)
    local head = #"POST" + #"/a?b"
    assert.same({ head .. " false", head .. " false", head + 65536 .. " false",
      head + 100000 .. " true" }, told)
    assert.equal("100000", parameters.headers["Content-Length"])
    assert.equal("/a?b", parameters.path)
  end)

  it("is handed over at once where it has no body", function()
    local told = {}
    local parameters = message.parameters({ headers = { A = "bc" } }, "/",
      function(...) told[#told + 1] = { ... } end)
    assert.equal("GET", parameters.method)
    assert.is_nil(parameters.body)
    assert.same({ { #"GET" + #"/" + #"A: bc\r\n", true } }, told)
  end)

  it("leaves the caller's headers alone", function()
    local headers = {}
    message.parameters({ method = "POST", headers = headers }, "/",
      function() end)
    assert.same({}, headers)
  end)
end)
