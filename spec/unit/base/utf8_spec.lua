local utf8 = require "starvideos.base.utf8"

describe("a text as it is shown", function()
  for what, row in pairs {
    ["an escape sequence"] = { "a\27[2Jb", "a\\u001b[2Jb" },
    ["a title of the terminal"] = { "\27]0;x\7", "\\u001b]0;x\\u0007" },
    ["a return and backspaces"] = { "ab\r\8\8c\127", "ab\\u000d\\u0008\\u0008c\\u007f" },
    ["a NUL"] = { "a\0b", "a\\u0000b" },
    ["a control of eight bits in UTF-8"] = { "\194\1552J", "\\u009b2J" },
    ["a control of eight bits as a byte"] = { "\1552J", "\239\191\1892J" },
    ["a turned direction"] = { "a\226\128\174b\216\156", "a\\u202eb\\u061c" },
    ["isolates"] = { "\226\129\166a\226\129\169", "\\u2066a\\u2069" },
    ["ends of lines of Unicode"] = { "\226\128\168\194\133", "\\u2028\\u0085" },
    ["what is not seen"] = { "a\226\128\139b\239\187\191", "a\\u200bb\\ufeff" },
    ["another encoding"] = { "\196\227\186\195", ("\239\191\189"):rep(4) },
    ["half a character"] = { "a\228\189", "a" .. ("\239\191\189"):rep(2) },
    ["a surrogate"] = { "\237\160\128", ("\239\191\189"):rep(3) },
  } do
    it("has no " .. what, function()
      assert.equal(row[2], (utf8.shown(row[1])))
      assert.equal(row[2], (utf8.shown(row[2])))
    end)
  end

  it("leaves what everybody writes", function()
    for _, text in ipairs { "", "C:\\u001b", "a b", "“一只风筝” – è" } do
      assert.equal(text, (utf8.shown(text)))
    end
    local family = "“一只风筝” – è 👩\226\128\141👧 नम\226\128\140स"
    assert.equal(family, (utf8.shown(family)))
  end)

  it("keeps its lines where they are wanted", function()
    assert.equal("a\\u000a\\u0009b", (utf8.shown "a\n\tb"))
    assert.equal("a\n\tb\\u000d\n", (utf8.shown("a\n\tb\r\n", true)))
  end)
end)

describe("a text that is repaired", function()
  it("is valid UTF-8, and the same where it was", function()
    assert.equal("a\239\191\189b\239\191\189", utf8.repaired "a\255b\0")
    assert.equal("一", utf8.repaired "一")
  end)

  it("has an ASCII form of every text", function()
    assert.equal("a \\u4f59\\u00e9 \\u1f600 \\xFF", utf8.ascii(
      "a \228\189\153\195\169 \240\159\152\128 \255"))
  end)
end)
