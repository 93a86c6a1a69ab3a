local retry = require "starvideos.retry"

local function always(number)
  return function() return number end
end

describe("the pace of a wait", function()
  it("begins with one interval", function()
    assert.equal(30, retry.pace({}, always(0.5)):first())
  end)

  it("begins when the caller says so", function()
    assert.equal(0, retry.pace({ first_poll = 0 }, always(0.5)):first())
  end)

  it("grows from 30 s to 60 s and stays there", function()
    local pace, pauses = retry.pace({}, always(0.5)), {}
    for index = 1, 5 do
      pauses[index] = pace:after_answer()
    end
    assert.same({ 37.5, 46.875, 58.59375, 60, 60 }, pauses)
  end)

  it("varies by a fifth either way", function()
    assert.equal(24, retry.pace({}, always(0)):first())
    assert.is_true(retry.pace({}, always(0.9999)):first() < 36)
    assert.is_true(retry.pace({}, always(0.9999)):first() > 35.9)
  end)

  it("keeps to an interval longer than the usual longest", function()
    local pace = retry.pace({ interval = 300 }, always(0.5))
    assert.equal(300, pace:after_answer())
  end)

  it("backs off with full jitter under a bound that doubles", function()
    local pace, pauses = retry.pace({}, always(1)), {}
    for index = 1, 7 do
      pauses[index] = pace:after_error({ kind = "server" }, 0)
    end
    assert.same({ 2, 4, 8, 16, 32, 60, 60 }, pauses)
    assert.equal(1, retry.pace({}, always(0)):after_error(
      { kind = "network" }, 0))
  end)

  it("slows down where the provider says too many requests", function()
    local pace = retry.pace({}, always(0.5))
    assert.equal(60, pace:after_error({ kind = "rate_limited" }, 0))
  end)

  it("never comes back before Retry-After", function()
    local pace = retry.pace({}, always(0))
    assert.equal(500, pace:after_error(
      { kind = "server", retry_after = 500 }, 0))
  end)

  it("bears a 404 for two minutes after the creation", function()
    local pace = retry.pace({}, always(0.5))
    assert.equal(30, pace:after_error({ kind = "not_found" }, 119))
    assert.is_nil(pace:after_error({ kind = "not_found" }, 120))
  end)

  it("bears a refused key three times, and then no more", function()
    local pace = retry.pace({}, always(0.5))
    assert.equal(30, pace:after_error({ kind = "auth" }, 0))
    assert.equal(30, pace:after_error({ kind = "auth" }, 0))
    assert.equal(30, pace:after_error({ kind = "auth" }, 0))
    assert.is_nil(pace:after_error({ kind = "auth" }, 0))
  end)

  it("counts refusals in a row only", function()
    local pace = retry.pace({}, always(0.5))
    for _ = 1, 5 do
      assert.is_number(pace:after_error({ kind = "auth" }, 0))
      assert.is_number(pace:after_error({ kind = "auth" }, 0))
      pace:after_answer()
    end
  end)

  it("bears five unreadable answers in a row", function()
    local pace = retry.pace({}, always(0.5))
    for _ = 1, 5 do
      assert.is_number(pace:after_error({ kind = "protocol" }, 0))
    end
    assert.is_nil(pace:after_error({ kind = "protocol" }, 0))
  end)

  it("ends at once at an error that no time will mend", function()
    for _, kind in ipairs { "config", "invalid_request", "io" } do
      assert.is_nil(retry.pace({}, always(0.5)):after_error(
        { kind = kind }, 0))
    end
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

  it("is nothing to wait for where the date is past", function()
    assert.equal(0, retry.retry_after({
      ["retry-after"] = "Sun, 06 Nov 1994 08:49:37 GMT",
    }, at(784111777 + 5)))
  end)

  it("is nil where it is missing or cannot be read", function()
    assert.is_nil(retry.retry_after({}, at(0)))
    for _, text in ipairs { "soon", "", "-5", "Sun, 06 Foo 1994 08:49:37 GMT" } do
      assert.is_nil(retry.retry_after({ ["retry-after"] = text }, at(0)))
    end
  end)

  it("knows leap years", function()
    assert.equal(1709164800, retry.http_date("Thu, 29 Feb 2024 00:00:00 GMT"))
    assert.equal(951868800, retry.http_date("Wed, 01 Mar 2000 00:00:00 GMT"))
  end)
end)
