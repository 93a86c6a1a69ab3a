local file = require "starvideos.nginx.file"

describe("a value of nginx.conf or a unit", function()
  it("may have blanks and brackets where it is quoted", function()
    assert.is_true(file.takes "/srv/my videos/{x}'s 100%#1")
  end)

  it("may be an account, a size, or a plain path", function()
    for _, word in ipairs { "starvideos", "ann@EXAMPLE.COM", "64m", "8080",
      "/var/lib/starvideos-2/ledger.db", "/srv/b\195\164r" } do
      assert.is_true(file.takes(word, true), word)
    end
  end)

  it("has nothing that would end it or be read as something else", function()
    for _, text in ipairs { "", '/a"b', "/a$b", "/a;b", "/a\\b", "/a\nb", "/a\rb",
      "/a?b", "/a\0b", "/a\27[m" } do
      assert.is_false(file.takes(text), text)
      assert.is_false(file.takes(text, true), text)
    end
  end)

  it("has no blank, quote, bracket, comment or specifier where nothing quotes it",
    function()
      for _, text in ipairs { "a b", "a\tb", "a'b", "a{b", "a}b", "#a", "a%nb" } do
        assert.is_false(file.takes(text, true), text)
      end
    end)
end)

describe("a template", function()
  it("leaves out a line whose value is missing, and repeats one for a list", function()
    assert.equal("a 1\n\nc x;\nc y;\n  e\n", file.fill_template("a @a@\n\nb @b@ @a@\nc @c@;\n"
      .. "d @none@\n  @c?@e\n@b?@f\n", { a = 1, b = false, c = { "x", "y" },
      none = {} }))
  end)

  it("keeps what looks like a place in a value, and what is none", function()
    assert.equal('"@a@ %1" x@y-z@\n', file.fill_template('"@a@" x@y-z@\n', { a = "@a@ %1" }))
  end)

  it("takes blanks and search paths between quotes alone", function()
    assert.equal('p "/a b/?.lua;/c" "d";\n', file.fill_template('p "@p@" "@d@";\n',
      { p = "/a b/?.lua;/c", d = "d" }))
    for _, value in ipairs { "", "a b", "a;b", "a%nb", "a{", 'a"', "a\nb" } do
      assert.has_error(function() file.fill_template("p @p@;\n", { p = value }) end)
    end
    for _, value in ipairs { 'a"', "a$b", "a\\", "a\nb" } do
      assert.has_error(function() file.fill_template('p "@p@";\n', { p = value }) end)
    end
  end)
end)
