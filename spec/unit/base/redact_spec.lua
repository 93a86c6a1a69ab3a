local redact = require "starvideos.base.redact"

describe("a table with secrets", function()
  it("keeps short texts, and none of a long one with a link", function()
    local long = ("https://h/?a=secret "):rep(1000)
    assert.same({ error = "see https://h/?[redacted]", raw = { "[redacted]" },
      plain = ("a"):rep(20000) },
      redact.tree { error = "see https://h/?a=secret", raw = { long },
        plain = ("a"):rep(20000) })
  end)
end)

describe("redaction", function()
  local shown = {
    { "get https://cdn.example/a.mp4?sig=SECRET&exp=2 or http://x/y?SECRET now",
      "get https://cdn.example/a.mp4?[redacted] or http://x/y?[redacted] now" },
    { [["https:\/\/cdn\/a.mp4?sig=SECRET"]],
      [["https:\/\/cdn\/a.mp4?[redacted]"]] },
    { "https://user:SECRET@host/a.png", "https://[redacted]@host/a.png" },
    { "https://SECRET@host:80", "https://[redacted]@host:80" },
    { "(see https://host/a.png#SECRET)", "(see https://host/a.png#[redacted])" },
    { "https://host/a.png;sig=SECRET/b.png", "https://host/a.png;[redacted]" },
    { 'https://host/a.png?a="SECRET', "https://host/a.png?[redacted]" },
    { "https://host/a.png?a>SECRET", "https://host/a.png?[redacted]" },
    { "https://h/'a.png?sig=x'SECRET", "https://h/'a.png?[redacted]" },
    { "scheme of 'htttp://user:SECRET@host'",
      "scheme of 'htttp://[redacted]@host'" },
    { "https:/user:SECRET@host/a", "https:/[redacted]@host/a" },
    { "https://user:SEC/RET@host/a.png", "https://[redacted]" },
    { "https://proxy/https://u:SECRET@host/a?SECRET",
      "https://proxy/https://[redacted]@host/a?[redacted]" },
    { '{"a":"https://h/a?SECRET","b":1} and more',
      '{"a":"https://h/a?[redacted]} and more' },
  }
  for _, case in ipairs(shown) do
    it("shows of " .. case[1] .. " what is no secret", function()
      assert.equal(case[2], redact.urls(case[1]))
      assert.equal(case[2], redact.urls(case[2]))
    end)
  end

  it("continues behind a secret that was hidden before", function()
    assert.equal('{"a":"https://h/a?[redacted-12]","b":"https://h/b?[redacted]"}',
      redact.urls '{"a":"https://h/a?[redacted-12]","b":"https://h/b?SECRET"}')
  end)

  for _, plain in ipairs { "really? see https://cdn.example/a.mp4, why?",
    "https://[::1]:8080/a.png", "http://127.0.0.1:8080: refused; try again",
    "a: b; c/d?", '{"a":"https://h","b":"c"}', "https://h/a@2x.png" } do
    it("leaves " .. plain .. " alone", function()
      assert.equal(plain, redact.urls(plain))
    end)
  end

  it("hides in a text that is a URL, with spaces or without a scheme", function()
    assert.equal("https://h/a?[redacted]", redact.url "https://h/a?x= SECRET")
    assert.equal("h/a.png?[redacted]", redact.url "h/a.png?SECRET")
    assert.equal("//[redacted]@h/a", redact.url "//user:SECRET@h/a")
    assert.equal("16:9", redact.url "16:9")
    assert.equal("a cat? a/b", redact.url "a cat? a/b")
  end)

  it("tells secrets apart, and not by their password", function()
    local function digest(text) return tostring(#text) end
    assert.equal("https://[redacted]@h/a?[redacted-6]",
      redact.urls("https://u:SECRET@h/a?SECRET", digest))
  end)

  it("hides nothing beyond the path in a typed address", function()
    assert.equal("postgres://host/db", redact.address
      "postgres://user:SECRET@host/db?password=SECRET")
    assert.equal("postgres://user@host/db", redact.address(
      "postgres://user:SECRET@host/db", true))
    assert.equal("host", redact.address "htttps//user:SECRET@host")
    assert.equal("https://[redacted]", redact.address "https://u:p?SECRET@h")
  end)

  for typed, clean in pairs {
    ["open postgres:u:pw@h/d: no"] = "open [redacted]@h/d: no",
    ["(u:p@w@h) u@h"] = "([redacted]@h) u@h",
    ["host=h password=pw x"] = "host=h password=[redacted] x",
    ["PGPASSWORD = 'p w'; x"] = "PGPASSWORD = [redacted]; x",
    ["postgres://u:pw@h/d a@b"] = "postgres://[redacted]@h/d a@b",
  } do
    it("hides passwords of addresses that are no URLs: " .. typed, function()
      assert.equal(clean, redact.text(typed))
      assert.equal(clean, redact.text(clean))
    end)
  end

  for _, text in ipairs { "C:\\Users\\a@b\\x.mp4: no", "./a:b@c.mp4",
    "out/a:b@c.mp4", "mail ann@b.example: now", "pass=" } do
    it("leaves in a text " .. text, function()
      assert.equal(text, redact.text(text))
    end)
  end

  it("takes out of a text the parts of a URL that stand alone", function()
    assert.equal("no [redacted] for [redacted] of user", redact.parts(
      "no SE CRET for S3CRET of user", "db://user:S3CRET@h?sig=SE%20CRET&a=no"))
  end)

  it("is fast for any text of a hostile server", function()
    for _, text in ipairs { "a:", "a:@", "@", "password=", "password='" } do
      local start = os.clock()
      redact.text(text:rep(40000))
      assert.is_true(os.clock() - start < 1, text)
    end
    local began = os.clock()
    for _, text in ipairs { ("a:/"):rep(20000), ("a:/b@"):rep(20000),
      "https://h/?" .. (")"):rep(100000) .. "x", ("https://h "):rep(10000),
      ('https://h/?[redacted]"'):rep(4000), ("a"):rep(100000) } do
      redact.urls(text)
      redact.url(text)
    end
    assert.is_true(os.clock() - began < 2)
  end)

  it("replaces the key wherever it stands", function()
    assert.equal("[key] and [key]", redact.key("sk-1.%+ and sk-1.%+",
      "sk-1.%+"))
  end)

  it("knows the key with the slashes of JSON", function()
    assert.equal("[key] and [key]",
      redact.key([[sk-a\/b/c= and sk-a/b\/c=]], "sk-a/b/c="))
  end)

  it("knows the key with characters that JSON gives by number", function()
    assert.equal([["[key]" \"[key]\" \\u0041 \u4f59]], redact.key(
      [["\u0073k\u002Da\u002fb\\\"c" \"sk-a/b\u005c\u0022c\" \\u0041 \u4f59]],
      [[sk-a/b\"c]]))
  end)

  it("leaves a text as it is that has no key", function()
    local text = [[{"a":"\u0073k-\u0031","b":"\\u0073"}]]
    assert.equal(text, redact.key(text, "sk-another"))
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
