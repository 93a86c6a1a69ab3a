local errors = require "starvideos.errors"
local random = require "starvideos.random"
local retry = require "starvideos.api.retry"

local function always(number)
  return function() return number end
end

--- The pace of one wait, with what stays the same over its life.
local function pace_of(options, next_number)
  local pace = { interval = retry.first_interval(options) }
  return {
    first = function(_, age)
      return retry.first_pause(pace, options, age or 0, next_number)
    end,
    after_answer = function()
      return retry.pause_after_answer(pace, options, next_number)
    end,
    after_error = function(_, err, age)
      return retry.pause_after_error(pace, options, err, age, next_number)
    end,
    state = pace,
  }
end

describe("the pace of a wait", function()
  it("begins with one interval", function()
    assert.equal(30, pace_of({}, always(0.5)):first())
  end)

  it("begins when the caller says so", function()
    assert.equal(0, pace_of({ first_poll = 0 }, always(0.5)):first())
  end)

  it("grows from 30 s to 60 s and stays there", function()
    local pace, pauses = pace_of({}, always(0.5)), {}
    for index = 1, 5 do
      pauses[index] = pace:after_answer()
    end
    assert.same({ 37.5, 46.875, 58.59375, 60, 60 }, pauses)
  end)

  it("varies by a fifth either way", function()
    assert.equal(24, pace_of({}, always(0)):first())
    assert.is_true(pace_of({}, always(0.9999)):first() < 36)
    assert.is_true(pace_of({}, always(0.9999)):first() > 35.9)
  end)

  it("begins at once for a task older than an interval", function()
    assert.equal(0, pace_of({}, always(0)):first(30))
    assert.equal(0, pace_of({}, always(0.9999)):first(86400))
  end)

  it("begins after what is left of the first interval", function()
    assert.equal(20, pace_of({}, always(0.5)):first(10))
    assert.equal(8, pace_of({}, always(0)):first(20))
    assert.equal(7, pace_of({ first_poll = 7 }, always(0)):first(3600))
  end)

  it("keeps to an interval longer than the usual longest", function()
    local pace = pace_of({ interval = 300 }, always(0.5))
    assert.equal(300, pace:after_answer())
  end)

  it("backs off with full jitter under a bound that doubles", function()
    local pace, pauses = pace_of({}, always(1)), {}
    for index = 1, 7 do
      pauses[index] = pace:after_error({ kind = "server" }, 0)
    end
    assert.same({ 2, 4, 8, 16, 32, 60, 60 }, pauses)
    assert.equal(1, pace_of({}, always(0)):after_error(
      { kind = "network" }, 0))
  end)

  it("backs off further however the faults alternate", function()
    local pace, pauses = pace_of({}, always(1)), {}
    for index, kind in ipairs { "network", "server", "timeout", "auth",
                                "server" } do
      pauses[index] = pace:after_error({ kind = kind }, 0)
    end
    assert.same({ 2, 4, 8, 36, 16 }, pauses)
    pace:after_answer()
    assert.equal(2, pace:after_error({ kind = "server" }, 0))
  end)

  it("comes back at any moment of the backoff, and at no favourite one",
    function()
      local next_number, early = random(7), 0
      for _ = 1, 1000 do
        local pause = pace_of({}, next_number):after_error(
          { kind = "server" }, 0)
        assert.is_true(pause >= 1 and pause <= 2)
        early = early + (pause < 1.25 and 1 or 0)
      end
      assert.is_true(early > 200 and early < 300)
    end)

  it("slows down where the provider says too many requests", function()
    local pace = pace_of({}, always(0.5))
    assert.equal(60, pace:after_error({ kind = "rate_limited" }, 0))
  end)

  it("never comes back before Retry-After", function()
    local pace = pace_of({}, always(0))
    assert.equal(500, pace:after_error(
      { kind = "server", retry_after = 500 }, 0))
    assert.equal(500, pace:after_error(
      { kind = "auth", retry_after = 500 }, 0))
    assert.equal(500.75, pace_of({}, always(0.75)):after_error(
      { kind = "rate_limited", retry_after = 500 }, 0))
  end)

  it("tolerates a 404 for two minutes after the creation", function()
    local pace = pace_of({}, always(0.5))
    for _ = 1, 9 do
      assert.equal(30, pace:after_error({ kind = "not_found" }, 119))
    end
    assert.is_nil(pace:after_error({ kind = "not_found" }, 120))
  end)

  local tolerable = { auth = 3, protocol = 5, config = 5, invalid_request = 5,
    not_found = 3 }
  for kind, limit in pairs(tolerable) do
    it(("tolerates %s %d times in a row, and then no more"):format(kind, limit),
      function()
        local pace = pace_of({}, always(0.5))
        for _ = 1, limit do
          assert.equal(30, pace:after_error({ kind = kind, status = 200 }, 120))
        end
        assert.is_nil(pace:after_error({ kind = kind, status = 200 }, 120))
      end)

    it(("begins to count %s again after an answer that made sense")
      :format(kind), function()
        local pace = pace_of({}, always(0.5))
        for _ = 1, 5 do
          for _ = 1, limit do
            assert.is_number(pace:after_error({ kind = kind, status = 200 },
              120))
          end
          pace:after_answer()
        end
      end)

    for _, between in ipairs { "network", "timeout", "server",
                               "rate_limited" } do
      it(("counts %s on across %s, which it neither counts nor forgives by")
        :format(kind, between), function()
          local pace = pace_of({}, always(0.5))
          for _ = 1, limit do
            assert.is_number(pace:after_error({ kind = kind, status = 200 },
              120))
            for _ = 1, 6 do
              assert.is_number(pace:after_error({ kind = between }, 0))
            end
          end
          assert.is_nil(pace:after_error({ kind = kind, status = 200 }, 120))
        end)
    end
  end

  it("counts refusals and unreadable answers apart", function()
    local pace = pace_of({}, always(0.5))
    for _ = 1, 3 do
      assert.is_number(pace:after_error({ kind = "auth" }, 0))
      assert.is_number(pace:after_error({ kind = "protocol" }, 0))
    end
    assert.is_number(pace:after_error({ kind = "protocol" }, 0))
    assert.is_nil(pace:after_error({ kind = "auth" }, 0))
  end)

  it("leaves nothing behind in its table that was there for a fault",
    function()
      local pace = pace_of({}, always(0.5))
      for kind in pairs(retry.tolerances) do
        pace:after_error({ kind = kind, status = 200 }, 0)
      end
      pace:after_answer()
      pace.state.interval = nil
      assert.same({}, pace.state)
    end)

  it("ends at once at what happened on this machine", function()
    for _, kind in ipairs { "config", "io", "validation" } do
      assert.is_nil(pace_of({}, always(0.5)):after_error(
        { kind = kind }, 0))
    end
  end)
end)

describe("the pause before an order is sent again", function()
  local unsent = { kind = "network", sent = false }

  local function limited(seconds)
    return { kind = "rate_limited", retry_after = seconds }
  end

  it("is there after what certainly bought nothing", function()
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

  it("is nil where Retry-After asks for more patience than a create has",
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

  it("is nothing to wait for where the date is past", function()
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

  it("takes a year of two digits for the one nearest to fifty years ahead",
    function()
      local function year(digits, now)
        local text = ("Sunday, 06-Nov-%s 08:49:37 GMT"):format(digits)
        return os.date("!%Y", retry.http_date(text, now))
      end
      local in_2026 = 1795000000
      assert.equal("2026", year("26", in_2026))
      assert.equal("2027", year("27", in_2026))
      assert.equal("2076", year("76", in_2026))
      assert.equal("1977", year("77", in_2026))
      assert.equal("1994", year("94", in_2026))
      assert.equal("2094", year("94", in_2026 + 30 * 31556952))
    end)

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

  it("does no harm where a transport gives numbers for texts", function()
    assert.equal(7, retry.retry_after({ ["retry-after"] = 7 }, at(0)))
    assert.equal(23, retry.retry_after({ date = 7,
      ["retry-after"] = "Sun Nov  6 08:49:37 1994" }, at(784111777 - 23)))
  end)

  it("knows leap years", function()
    assert.equal(1709164800,
      retry.http_date("Thu, 29 Feb 2024 00:00:00 GMT", 0))
    assert.equal(951868800,
      retry.http_date("Wed, 01 Mar 2000 00:00:00 GMT", 0))
  end)

  it("agrees with the calendar on every day of eighty years", function()
    for day = 0, 80 * 365, 7 do
      local seconds = day * 86400 + day % 86400
      local text = os.date("!%a, %d %b %Y %H:%M:%S GMT", seconds)
      assert.equal(seconds, retry.http_date(text, 0))
    end
  end)
end)
