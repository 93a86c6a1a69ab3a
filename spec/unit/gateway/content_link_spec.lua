-- Links to videos, which expire and cannot be made by others.

local contents = require "starvideos.gateway.content"

local NOW = 1700000000

describe("a link", function()
  local app = { secret = ("ab"):rep(32), settings = {},
    now = function() return NOW end }
  local entry = { id = "video_" .. ("0a"):rep(16) }

  local function parts(link)
    local path, query = link:match "^([^?]*)%?(.*)$"
    local args = {}
    for name, value in query:gmatch "(%w+)=(%w+)" do
      args[name] = value
    end
    return path, args
  end

  local function why(id, args, now)
    local ok, refusal = contents.check_signed(app, id, args, now or NOW)
    return not ok and refusal.status or nil, refusal and refusal.message
  end

  it("names the video, and is good for an hour", function()
    local path, args = parts(contents.signed_path(app, entry, NOW))
    assert.equal("/v1/files/" .. entry.id .. ".mp4", path)
    assert.equal(tostring(NOW + 3600), args.expires)
    assert.is_true(contents.check_signed(app, entry.id, args, NOW))
    assert.is_true(contents.check_signed(app, entry.id, args, NOW + 3599.9))
    assert.equal(410, (why(entry.id, args, NOW + 3600)))
  end)

  it("is good for no other video, and no other time", function()
    local _, args = parts(contents.signed_path(app, entry, NOW))
    assert.equal(403, (why("video_" .. ("0b"):rep(16), args)))
    assert.equal(403, (why(entry.id, { expires = "9999999999",
      signature = args.signature })))
    assert.equal(403, (why(entry.id, { expires = args.expires .. "0",
      signature = args.signature })))
    assert.equal(403, (why(entry.id, { expires = "0" .. args.expires,
      signature = args.signature })))
  end)

  it("cannot be made without the secret", function()
    local _, args = parts(contents.signed_path({ secret = ("ac"):rep(32) }, entry, NOW))
    assert.equal(403, (why(entry.id, args)))
  end)

  it("is refused where a part of it is missing or altered", function()
    local _, args = parts(contents.signed_path(app, entry, NOW))
    local signature = args.signature
    local last = signature:sub(-1) == "0" and "1" or "0"
    for _, case in ipairs { {}, { expires = args.expires },
      { signature = signature }, { expires = true, signature = true },
      { expires = args.expires, signature = "" },
      { expires = args.expires, signature = signature:sub(1, -2) },
      { expires = args.expires, signature = signature .. "0" },
      { expires = args.expires, signature = signature:sub(1, -2) .. last },
      { expires = "x", signature = signature } } do
      local status, message = why(entry.id, case)
      assert.equal(403, status)
      assert.is_nil(message:find(signature, 1, true))
    end
  end)

  it("shows nothing of the secret", function()
    assert.is_nil(contents.signed_path(app, entry, NOW):find(app.secret, 1, true))
  end)

  it("has the address that the caller asked at", function()
    local url = contents.signed_url(app, { scheme = "http", host = "127.0.0.1:8080" },
      entry)
    assert.equal("http://127.0.0.1:8080" .. contents.signed_path(app, entry, NOW), url)
  end)

  it("has the public address where there is one", function()
    local public = { secret = app.secret, now = app.now,
      settings = { public_url = "https://videos.example/team/" } }
    local url = contents.signed_url(public, { scheme = "http", host = "10.0.0.1" }, entry)
    assert.equal("https://videos.example/team" .. contents.signed_path(app, entry, NOW),
      url)
  end)
end)
