local metrics = require "starvideos.gateway.metrics"

describe("the metrics of a gateway", function()
  it("name a series with its labels, so that nothing ends a label early", function()
    assert.equal("a", metrics.series "a")
    assert.equal('a{b="c",d="5"}', metrics.series("a", "b", "c", "d", 5))
    assert.equal([[a{b="\"\\\n"}]], metrics.series("a", "b", '"\\\n'))
  end)

  it("are text, each family once, with buckets in their order", function()
    local name = "upstream_request_seconds"
    local text = metrics.text {
      [metrics.series(name .. "_bucket", "operation", "query", "le", "+Inf")] = 4,
      [metrics.series(name .. "_bucket", "operation", "query", "le", 10)] = 3,
      [metrics.series(name .. "_bucket", "operation", "query", "le", 2.5)] = 2,
      [metrics.series(name .. "_sum", "operation", "query")] = 12.25,
      [metrics.series(name .. "_count", "operation", "query")] = 4,
      [metrics.series("orders", "state", "queued")] = 7,
      polls_total = 1e15,
    }
    local first = text:find('le="2.5"', 1, true)
    local second = text:find('le="10"', 1, true)
    assert.is_true(first < second
      and second < text:find('le="+Inf"', 1, true))
    assert.truthy(text:find('\nstarvideos_gateway_orders{state="queued"} 7\n', 1,
      true))
    assert.truthy(text:find("_sum{operation=\"query\"} 12.250000\n", 1, true))
    assert.truthy(text:find("_polls_total 1000000000000000\n", 1, true))
    assert.equal(#metrics.families, select(2, text:gsub("# TYPE ", "")))
    assert.equal(1, select(2, text:gsub("# TYPE [%w_]*_seconds histogram", "")))
  end)

  it("are nobody's on another machine, nor behind a proxy on this one", function()
    local function ask(remote, header)
      local ok, refusal = metrics.run({}, { remote = remote,
        header = function(name) return name == header and "x" or nil end })
      assert.is_nil(ok)
      assert.equal(404, refusal.status)
    end
    ask "192.0.2.1"
    for _, name in ipairs { "X-Forwarded-For", "X-Real-IP", "Forwarded", "Via" } do
      ask("127.0.0.1", name)
    end
  end)
end)
