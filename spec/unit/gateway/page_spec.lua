local page = require "starvideos.gateway.page"
local shell = require "starvideos.nginx.shell"

local FOLDER = "lua/starvideos/gateway/page/"

local function read(name)
  local file = assert(io.open(FOLDER .. name, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function names_in_folder()
  local names = {}
  for name in shell.read("ls " .. FOLDER):gmatch "[^\n]+" do
    names[#names + 1] = name
  end
  return names
end

describe("the files of the page", function()
  it("are all that lie in its folder", function()
    local names = { (table.unpack or unpack)(page.names) }
    table.sort(names)
    assert.same(names_in_folder(), names)
  end)

  it("are answered with their own types", function()
    local types = {}
    for _, name in ipairs(page.names) do
      local status, headers, text = page.file(name)
      assert.equal(200, status)
      assert.equal(read(name), text)
      types[name:match "%l+$"] = headers["Content-Type"]
    end
    assert.same({ html = "text/html; charset=utf-8",
      css = "text/css; charset=utf-8", js = "text/javascript; charset=utf-8",
      svg = "image/svg+xml" }, types)
  end)

  it("may load nothing from elsewhere, and not be framed", function()
    local _, headers = page.file "/"
    local policy = headers["Content-Security-Policy"]
    assert.matches("^default%-src 'none';", policy)
    assert.matches("frame%-ancestors 'none'", policy)
    assert.not_matches("unsafe", policy)
    assert.not_matches("[*:]", policy)
    assert.equal("nosniff", headers["X-Content-Type-Options"])
    assert.equal("no-referrer", headers["Referrer-Policy"])
  end)

  it("name no other host, and have no script or style in the text", function()
    for _, name in ipairs(page.names) do
      for url in read(name):gmatch "%a+://[%w.]+" do
        assert.equal("http://www.w3.org", url)
      end
    end
    local html = read "index.html"
    assert.not_matches("<script[^>]*>%s*[^<%s]", html)
    assert.not_matches("%sstyle=", html)
    assert.not_matches("%son%l+=", html)
  end)

  it("are not sent again to a browser that has them", function()
    local _, headers = page.file "page.js"
    assert.equal("no-cache", headers["Cache-Control"])
    for _, known in ipairs { headers.ETag, "W/" .. headers.ETag, "*",
      '"other", ' .. headers.ETag } do
      local status, again, text = page.file("page.js", known)
      assert.equal(304, status)
      assert.equal(headers.ETag, again.ETag)
      assert.is_nil(text)
    end
    assert.equal(200, (page.file("page.js", '"other"')))
  end)

  it("differ in their tags", function()
    local seen = {}
    for _, name in ipairs(page.names) do
      local _, headers = page.file(name)
      assert.is_nil(seen[headers.ETag])
      seen[headers.ETag] = true
    end
  end)

  it("are no others", function()
    for _, name in ipairs { "other.js", "..", "../page.lua", "" } do
      local status, refusal = page.file(name)
      assert.is_nil(status)
      assert.equal(404, refusal.status)
    end
  end)
end)
