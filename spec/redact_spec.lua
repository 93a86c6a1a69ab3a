local redact = require "starvideos.redact"

describe("redaction", function()
  it("takes the query from every URL in a text", function()
    assert.equal("get https://cdn.example/a.mp4?[redacted] or"
      .. " http://x/y?[redacted] now",
      redact.urls("get https://cdn.example/a.mp4?sig=1&exp=2 or"
        .. " http://x/y?z now"))
  end)

  it("finds a URL with the slashes of JSON", function()
    assert.equal([["https:\/\/cdn\/a.mp4?[redacted]"]],
      redact.urls([["https:\/\/cdn\/a.mp4?sig=1"]]))
  end)

  it("finds the query behind an apostrophe, and all of it", function()
    for _, url in ipairs { "https://h/'a.png?sig=SESAME",
      "https://h/a.png?sig=x'SESAME", "https://h/a'b.png?'=SESAME" } do
      local text = redact.urls(url)
      assert.is_nil(text:find("SESAME", 1, true), text)
      assert.truthy(text:find("[redacted]", 1, true), text)
    end
  end)

  it("leaves questions and URLs without a query alone", function()
    local text = "really? see https://cdn.example/a.mp4, why?"
    assert.equal(text, redact.urls(text))
  end)

  it("replaces the key wherever it stands", function()
    assert.equal("[key] and [key]", redact.key("sk-1.%+ and sk-1.%+",
      "sk-1.%+"))
  end)

  it("knows the key with the slashes of JSON", function()
    assert.equal("[key] and [key]",
      redact.key([[sk-a\/b/c= and sk-a/b\/c=]], "sk-a/b/c="))
  end)

  it("knows a key that begins with a slash", function()
    assert.equal("[key] and [key]", redact.key([[\/a\/b+ and /a/b+]], "/a/b+"))
  end)

  it("leaves the beginning of a key alone", function()
    assert.equal("sk-a/b/", redact.key("sk-a/b/", "sk-a/b/c="))
  end)

  it("lets nil pass", function()
    assert.is_nil(redact.key(nil, "abcdef"))
    assert.equal("abc", redact.key("abc", nil))
  end)
end)
