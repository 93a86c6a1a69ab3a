local errors = require "starvideos.errors"
local retry = require "starvideos.provider.retry"

local function always(number)
  return function() return number end
end

describe("the pause before an order is sent again", function()
  local unsent = { kind = "network", sent = false }

  local function limited(seconds)
    return { kind = "rate_limited", retry_after = seconds }
  end

  it("follows a try that certainly bought nothing", function()
    assert.equal(1.5, retry.create_pause(unsent, 1, always(0.5)))
    assert.equal(1.5, retry.create_pause(limited(), 1, always(0.5)))
  end)

  it("varies, and grows with each try", function()
    assert.equal(1, retry.create_pause(unsent, 1, always(0)))
    assert.equal(2, retry.create_pause(unsent, 1, always(1)))
    assert.equal(4, retry.create_pause(unsent, 2, always(1)))
  end)

  it("is nil once the order was sent three times", function()
    assert.is_number(retry.create_pause(unsent, 2, always(0)))
    assert.is_nil(retry.create_pause(unsent, 3, always(0)))
    assert.is_nil(retry.create_pause(limited(1), 3, always(0)))
  end)

  it("is nil where the order may have arrived", function()
    assert.is_nil(retry.create_pause({ kind = "network", sent = true }, 1,
      always(0)))
    assert.is_nil(retry.create_pause({ kind = "network" }, 1, always(0)))
  end)

  it("is nil for every other kind, sent or not", function()
    for _, kind in ipairs(errors.kinds) do
      if kind ~= "network" and kind ~= "rate_limited" then
        assert.is_nil(retry.create_pause({ kind = kind, sent = false }, 1,
          always(0)), kind)
      end
    end
  end)

  it("is never shorter than Retry-After", function()
    for _, number in ipairs { 0, 0.5, 0.9999 } do
      assert.is_true(retry.create_pause(limited(7), 1, always(number)) >= 7)
      assert.is_true(retry.create_pause(limited(60), 1, always(number)) <= 61)
      assert.is_true(retry.create_pause(limited(0), 1, always(number)) >= 1)
    end
  end)

  it("is nil where Retry-After asks for more than a create waits",
    function()
      assert.is_nil(retry.create_pause(limited(60.5), 1, always(0)))
      assert.is_nil(retry.create_pause(limited(3600), 1, always(0)))
    end)
end)

describe("Retry-After", function()
  local function at(seconds)
    return function() return seconds end
  end

  it("is read as seconds", function()
    assert.equal(7, retry.retry_after({ ["retry-after"] = " 7 " }, at(0)))
  end)

  it("is read as a date against the answer's own clock", function()
    assert.equal(90, retry.retry_after({
      ["retry-after"] = "Sun, 06 Nov 1994 08:51:07 GMT",
      date = "Sun, 06 Nov 1994 08:49:37 GMT",
    }, at(0)))
  end)

  it("is read as a date against the local clock where the answer has none",
    function()
      assert.equal(23, retry.retry_after({
        ["retry-after"] = "Sun, 06 Nov 1994 08:49:37 GMT",
      }, at(784111777 - 23)))
    end)

  it("is 0 where the date is past", function()
    assert.equal(0, retry.retry_after({
      ["retry-after"] = "Sun, 06 Nov 1994 08:49:37 GMT",
    }, at(784111777 + 5)))
  end)

  local dates = {
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  }
  for _, date in ipairs(dates) do
    it("is read as a date in each form of RFC 9110: " .. date, function()
      assert.equal(23, retry.retry_after({ ["retry-after"] = date },
        at(784111777 - 23)))
      assert.equal(10, retry.retry_after({ ["retry-after"] = date,
        date = "Sun, 06 Nov 1994 08:49:27 GMT" }, at(784111777)))
      assert.equal(60, retry.retry_after({ date = date,
        ["retry-after"] = "Sun Nov 06 08:50:37 1994" }, at(784111777)))
    end)
  end

  it("is nil where it is missing or cannot be read", function()
    assert.is_nil(retry.retry_after({}, at(0)))
    for _, text in ipairs { "soon", "", "-5", "nan", "inf", "0x10", "1e3",
                            ("9"):rep(400), "7, 9", {}, true,
                            "Sun, 06 Foo 1994 08:49:37 GMT",
                            "Sun, 32 Nov 1994 08:49:37 GMT",
                            "Sun, 00 Nov 1994 08:49:37 GMT",
                            "Sun, 06 Nov 1994 24:49:37 GMT",
                            "Sun, 06 Nov 1994 08:60:37 GMT",
                            "Sun, 06 Nov 1994 08:49:61 GMT",
                            "Sun, 06 Nov 1994 08:49:37 CET",
                            "Sun, 06 Nov 1994",
                            ("9"):rep(400) .. " Nov 1994" } do
      assert.is_nil(retry.retry_after({ ["retry-after"] = text }, at(0)))
    end
  end)

  it("is read although a transport gives numbers for texts", function()
    assert.equal(7, retry.retry_after({ ["retry-after"] = 7 }, at(0)))
    assert.equal(23, retry.retry_after({ date = 7,
      ["retry-after"] = "Sun Nov  6 08:49:37 1994" }, at(784111777 - 23)))
  end)
end)
