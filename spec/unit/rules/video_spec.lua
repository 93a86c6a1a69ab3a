local clip = require "spec.fixtures.clip"
local core = require "starvideos.core"
local curl = require "starvideos.curl"
local files = require "spec.fixtures.files"

local box = clip.box
local FTYP, MOOV, MDAT = box("ftyp", "isom\0\0\2\0"), box("moov", "mvhd"),
  box("mdat", "samples")
local FRAGMENT = box("moof", "traf") .. MDAT

-- A box whose size has 64 bits.
local function long_box(type, size, content)
  return "\0\0\0\1" .. type .. ("\0"):rep(4)
    .. string.char(math.floor(size / 2 ^ 24) % 256,
      math.floor(size / 65536) % 256, math.floor(size / 256) % 256, size % 256)
    .. (content or "")
end

describe("the bytes of a file", function()
  local folder, path

  setup(function()
    folder = files.folder()
    path = folder .. "/clip"
  end)
  teardown(function()
    files.remove(folder)
  end)

  -- What both modules say of it.
  local function look(text)
    files.write(path, text)
    local container, state = core.disk("video", path)
    assert.same({ container, state }, { curl.disk("video", path) })
    return container, state
  end

  local function is(container, state, text)
    assert.same({ container, state }, { look(text) })
  end

  local whole = {
    ["an MP4"] = { "mp4", FTYP .. MOOV .. MDAT },
    ["an MP4 whose description comes last"] = { "mp4", FTYP .. MDAT .. MOOV },
    ["an MP4 with room first"] = { "mp4", box("free", "12345678") .. FTYP
      .. MOOV .. MDAT },
    ["an MP4 in fragments"] = { "mp4", FTYP .. MOOV .. FRAGMENT:rep(3)
      .. box("mfra", "x") },
    ["fragments alone"] = { "mp4", box("styp", "msdh\0\0\0\0") .. box("sidx", "x")
      .. FRAGMENT },
    ["an MP4 with boxes that nobody knows"] = { "mp4", FTYP .. box("abcd", "x")
      .. MOOV .. box("x264", "settings") .. MDAT .. box("uuid", ("u"):rep(16)) },
    ["an MP4 whose samples reach the end by definition"] = { "mp4", FTYP .. MOOV
      .. "\0\0\0\0mdat" .. ("s"):rep(50) },
    ["an MP4 with a size of 64 bits"] = { "mp4", FTYP .. MOOV
      .. long_box("mdat", 20, "1234") },
    ["an MP4 that is more than the first bytes"] = { "mp4", FTYP
      .. box("mdat", ("x"):rep(100000)) .. MOOV },
    ["a MOV"] = { "mov", box("ftyp", "qt  \0\0\0\0") .. MDAT .. MOOV },
    ["a MOV of before there was a brand"] = { "mov", MOOV .. MDAT },
    ["a MOV with its samples first"] = { "mov", MDAT .. MOOV },
    ["a MOV with a preview first"] = { "mov", box("pnot", "x") .. box("PICT", "y")
      .. box("wide") .. MDAT .. MOOV },
    ["a MOV with room first"] = { "mov", box("skip") .. MDAT .. MOOV },
    ["a WebM"] = { "webm", "\26\69\223\163\159\66\134\129\1\66\130\132webm"
      .. "\24\83\128\103" },
    ["another Matroska"] = { "matroska",
      "\26\69\223\163\163\66\130\136matroska" },
    ["a transport stream"] = { "mpegts", ("G" .. ("t"):rep(187)):rep(9) },
    ["a transport stream with times"] = { "mpegts",
      ("time" .. "G" .. ("t"):rep(187)):rep(3) },
    ["an AVI"] = { "avi", "RIFF\0\0\0\0AVI LIST" },
  }
  for name, case in pairs(whole) do
    it("may be " .. name, function()
      is(case[1], "whole", case[2])
      assert.is_not_nil(core.container(case[2]))
    end)
  end

  local no_video = {
    ["nothing"] = "",
    ["a page"] = "<!DOCTYPE html><html><body>Sign in</body></html>",
    ["an XML error"] = '<?xml version="1.0"?><Error><Code>AccessDenied</Code>',
    ["an object"] = '{"code":403,"msg":"ftyp moov mdat"}',
    ["a compressed film"] = "\31\139\8\0\0\0\0\0" .. FTYP .. MOOV .. MDAT,
    ["parts of a film"] = "--bound\r\nContent-Range: bytes 0-4/9\r\n\r\n" .. FTYP,
    ["an image"] = "\255\216\255\224\0\16JFIF",
    ["an image in boxes"] = box("ftyp", "avif\0\0\0\0") .. box("meta", "x")
      .. box("mdat", "x"),
    ["a sound file"] = "RIFF\0\0\0\0WAVEfmt ",
    ["a box that is smaller than its head"] = "\0\0\0\7ftypisom" .. MOOV .. MDAT,
    ["a box of another kind"] = box("moot", "x") .. MOOV .. MDAT,
    ["two packets"] = ("G" .. ("t"):rep(187)):rep(2),
    ["packets that lose their mark"] = ("G" .. ("t"):rep(187)):rep(4) .. "g"
      .. ("t"):rep(187),
    ["half of a box's head"] = FTYP:sub(1, 7),
    ["zeros"] = ("\0"):rep(4096),
  }
  for name, text in pairs(no_video) do
    it("may be " .. name .. ", which is no video", function()
      is(false, "whole", text)
      assert.is_nil(core.container(text))
    end)
  end

  describe("cut", function()
    it("is an MP4 at whichever byte it ends too early", function()
      local text = FTYP .. MOOV .. MDAT
      for size = 12, #text - 1 do
        is("mp4", "cut", text:sub(1, size))
      end
    end)

    it("is a MOV, too, and one with a size of 64 bits", function()
      local text = MOOV .. long_box("mdat", 32, ("s"):rep(16))
      for size = 8, #text - 1 do
        is("mov", "cut", text:sub(1, size))
      end
      is("mov", "whole", text)
    end)

    it("are fragments within a fragment, and not between two", function()
      local first, moof = FTYP .. MOOV .. FRAGMENT, box("moof", "traf")
      is("mp4", "whole", first)
      for size = 8, #moof - 1 do
        is("mp4", "cut", first .. FRAGMENT:sub(1, size))
      end
      for size = #moof + 8, #FRAGMENT - 1 do
        is("mp4", "cut", first .. FRAGMENT:sub(1, size))
      end
    end)

    it("is what has a description and no samples, or samples alone", function()
      is("mp4", "cut", FTYP .. MOOV)
      is("mp4", "cut", FTYP .. MDAT)
      is("mp4", "cut", FTYP)
      is("mov", "cut", MOOV)
      is("mp4", "cut", FTYP .. "\0\0\0\0mdat" .. ("s"):rep(50))
    end)

    it("is a box of a size that no file has", function()
      is("mp4", "cut", FTYP .. MOOV .. MDAT .. "\255\255\255\255free")
      is("mp4", "cut", FTYP .. MOOV .. MDAT .. "\0\0\0\1free"
        .. ("\255"):rep(8))
    end)
  end)

  describe("behind a whole video", function()
    for name, rest in pairs { ["a line"] = "\r\n", ["zeros"] = ("\0"):rep(64),
      ["a text"] = "trailing bytes of a proxy", ["a comment"] = "<!-- served -->",
      ["seven bytes"] = "\0\0\0\8fre", ["a box that is too small"] =
      "\0\0\0\4free", ["a long one that is too small"] =
      "\0\0\0\1free\0\0\0\0\0\0\0\15" } do
      it("are " .. name .. ", which form no box", function()
        is("mp4", "trailed", FTYP .. MOOV .. MDAT .. rest)
        is("mov", "trailed", MOOV .. MDAT .. rest)
      end)
    end
  end)

  it("are read so often at most, whatever a hostile file holds", function()
    local free = box("free")
    is("mp4", "whole", FTYP .. MOOV .. MDAT .. free:rep(1000000) .. "\0\0\0\9free")
    is("mp4", "cut", FTYP .. free:rep(70000) .. MOOV .. MDAT)
    is("mp4", "whole", FTYP .. free:rep(60000) .. MOOV .. MDAT)
  end)

  it("that cannot be read say why", function()
    local container, failure = curl.disk("video", folder .. "/nowhere")
    assert.is_nil(container)
    assert.equal("io", failure.reason)
    container, failure = curl.disk("video", folder)
    assert.is_nil(container)
    assert.equal("io", failure.reason)
  end)
end)
