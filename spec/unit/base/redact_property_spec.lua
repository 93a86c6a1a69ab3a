-- Whatever a URL is made of, and wherever it stands: what is secret in it is
-- in nothing that the library shows or writes down.

local record = require "starvideos.ledger.record"
local redact = require "starvideos.base.redact"

local ROUNDS = 2000

local draw

local function pick(list)
  return list[draw(#list)]
end

-- A generator of our own: the same cases under each Lua.
local function generator(seed)
  local state = seed
  return function(count)
    state = (state * 16807) % 2147483647
    return state % count + 1
  end
end

local schemes = { "https://", "http://", "HTTPS://", "postgres://", "s3://",
  "htttp://", "https:\\/\\/", "https:/", "svn+ssh://" }
local hosts = { "host.example", "127.0.0.1", "[::1]", "localhost" }
local ports = { "", "", ":8080" }
local paths = { "", "/", "/a.png", "/a/b'c.png", "/a(1).png", "/%20/b.mp4",
  "/a@2x.png", "/https://other.example/x" }
local noise = { "", "=", "&a=", "%41", '"', ">", "<", "'", ")", ",", "@", ":",
  "[", "}", "\\", "~", "|", "你", "[redacted" }

-- The secret among other characters; some of them cannot be everywhere.
local function secret(forbidden)
  local before, after = pick(noise), pick(noise)
  for _, text in ipairs { before, after } do
    if text:find(forbidden or "^$") then
      return "SECRET"
    end
  end
  return before .. "SECRET" .. after
end

local parts = {
  userinfo = function(url)
    url.user = pick { "", "user:", "user.name:" } .. secret '[\\]' .. "@"
  end,
  query = function(url)
    url.rest = "?" .. pick { "", "sig=", "a=1&sig=" } .. secret()
  end,
  fragment = function(url)
    url.rest = pick { "", "?a=1" } .. "#" .. secret()
  end,
  parameters = function(url)
    url.rest = ";" .. secret() .. pick { "", "/b.png", "?x=1" }
  end,
}
local names = { "userinfo", "query", "fragment", "parameters" }

local function random_url()
  local url = { user = "", rest = "" }
  for _ = 1, draw(2) do
    parts[pick(names)](url)
  end
  return pick(schemes) .. url.user .. pick(hosts) .. pick(ports)
    .. pick(paths) .. url.rest
end

local sentences = { "%s", "see %s", "(%s)", '{"url":"%s"}', "'%s' failed; why?",
  "画一只猫 %s 然后", "%s %s", '"%s","%s"', "a=%s\nb" }

local function filled(sentence, url)
  return (sentence:gsub("%%s", function() return url end))
end

describe("a secret in a URL", function()
  before_each(function()
    draw = generator(20260101)
  end)

  local function never(show)
    for _ = 1, ROUNDS do
      local url = random_url()
      local shown = show(url)
      if shown:find("SECRET", 1, true) then
        error(url .. " is shown as " .. shown)
      end
    end
  end

  it("is in no sentence", function()
    never(function(url)
      return redact.urls(filled(pick(sentences), url))
    end)
  end)

  it("is in no sentence that is read twice", function()
    never(function(url)
      return redact.urls(redact.urls(filled(pick(sentences), url)) .. url)
    end)
  end)

  it("is in no parameter of a ledger", function()
    never(function(url)
      return record.text({ prompt = filled(pick(sentences), url),
        first_image = url, last_image = url .. " " .. url,
        referenceImages = { url, { url = url } } })
    end)
  end)

  it("is in no address", function()
    never(function(url)
      return redact.address(url)
    end)
  end)

  it("tells two queries of a parameter apart", function()
    assert.are_not.equal(record.text { first_image = "https://h/a?x=1" },
      record.text { first_image = "https://h/a?x=2" })
  end)
end)
