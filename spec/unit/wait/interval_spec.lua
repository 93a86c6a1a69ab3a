local errors = require "starvideos.errors"
local pace = require "starvideos.wait.interval"
local random = require("starvideos.base.fingerprint").random

local function always(number)
  return function() return number end
end

--- The pace of one wait, with what stays the same over its life.
local function pace_of(options, next_number)
  local state = { interval = pace.first_interval(options) }
  return {
    first = function(_, age)
      return pace.first_pause(state, options, age or 0, next_number)
    end,
    after_answer = function()
      return pace.after_answer(state, options, next_number)
    end,
    after_error = function(_, err, age)
      return pace.after_error(state, options, err, age, next_number)
    end,
    state = state,
  }
end

describe("the pace of a wait", function()
  it("begins with one interval", function()
    assert.equal(30, pace_of({}, always(0)):first())
  end)

  it("grows from 30 s to 60 s and stays there", function()
    local wait, shortest, longest = pace_of({}, always(0)), {}, {}
    for index = 1, 5 do
      shortest[index] = math.floor(wait:after_answer() * 100 + 0.5) / 100
      longest[index] = math.floor(select(2, pace.range(wait.state, {})) * 100 + 0.5) / 100
    end
    assert.same({ 30, 37.5, 46.88, 48, 48 }, shortest)
    assert.same({ 45, 56.25, 60, 60, 60 }, longest)
  end)

  it("varies by a fifth, and never leaves 30 to 60 s", function()
    assert.equal(30, pace_of({}, always(0)):first())
    assert.is_true(pace_of({}, always(0.9999)):first() < 36)
    assert.is_true(pace_of({}, always(0.9999)):first() > 35.9)
  end)

  it("begins at once for a task older than an interval", function()
    assert.equal(0, pace_of({}, always(0)):first(30))
    assert.equal(0, pace_of({}, always(0.9999)):first(86400))
  end)

  it("begins after what is left of the first interval", function()
    assert.equal(23, pace_of({}, always(0.5)):first(10))
    assert.equal(10, pace_of({}, always(0)):first(20))
  end)

  it("keeps to an interval longer than the usual longest", function()
    local wait = pace_of({ interval = 300 }, always(0.5))
    assert.equal(300, wait:after_answer())
  end)

  local unsent = { kind = "network", sent = false }

  it("backs off with full jitter while nothing can be sent", function()
    local wait, pauses = pace_of({}, always(1)), {}
    for index = 1, 7 do
      pauses[index] = wait:after_error(unsent, 0)
    end
    assert.same({ 2, 4, 8, 16, 32, 60, 60 }, pauses)
    assert.equal(1, pace_of({}, always(0)):after_error(unsent, 0))
  end)

  it("backs off further until an answer is understood", function()
    local wait, pauses = pace_of({}, always(1)), {}
    for index, err in ipairs { unsent, { kind = "server" }, unsent, { kind = "auth" },
                               { kind = "timeout", sent = false } } do
      pauses[index] = wait:after_error(err, 0)
    end
    assert.same({ 2, 45, 4, 45, 8 }, pauses)
    wait:after_answer()
    assert.equal(2, wait:after_error(unsent, 0))
  end)

  it("keeps its pause after anything that may have been sent", function()
    for _, kind in ipairs { "server", "network", "timeout", "protocol", "auth" } do
      assert.is_true(pace_of({}, always(0)):after_error({ kind = kind }, 0) >= 30)
    end
  end)

  it("comes back at any moment of the backoff, and at no favourite one",
    function()
      local next_number, early = random(7), 0
      for _ = 1, 1000 do
        local pause = pace_of({}, next_number):after_error(unsent, 0)
        assert.is_true(pause >= 1 and pause <= 2)
        early = early + (pause < 1.25 and 1 or 0)
      end
      assert.is_true(early > 200 and early < 300)
    end)

  it("slows down where the provider says too many requests", function()
    local wait = pace_of({}, always(0.5))
    assert.equal(54, wait:after_error({ kind = "rate_limited" }, 0))
  end)

  it("never comes back before Retry-After", function()
    local wait = pace_of({}, always(0))
    assert.equal(500, wait:after_error(
      { kind = "server", retry_after = 500 }, 0))
    assert.equal(500, wait:after_error(
      { kind = "auth", retry_after = 500 }, 0))
    assert.equal(500.75, pace_of({}, always(0.75)):after_error(
      { kind = "rate_limited", retry_after = 500 }, 0))
  end)

  it("tolerates a 404 for two minutes after the creation", function()
    local wait = pace_of({}, always(0.5))
    for _ = 1, 9 do
      assert.equal(33, wait:after_error({ kind = "not_found" }, 119))
    end
    assert.is_nil(wait:after_error({ kind = "not_found" }, 120))
  end)

  local tolerable = { auth = 3, protocol = 5, config = 5, invalid_request = 5,
    not_found = 3 }
  for kind, limit in pairs(tolerable) do
    it(("tolerates %s %d times in a row, and then no more"):format(kind, limit),
      function()
        local wait = pace_of({}, always(0.5))
        for _ = 1, limit do
          assert.equal(33, wait:after_error({ kind = kind, status = 200 }, 120))
        end
        assert.is_nil(wait:after_error({ kind = kind, status = 200 }, 120))
      end)

    it(("begins to count %s again after an answer that made sense")
      :format(kind), function()
        local wait = pace_of({}, always(0.5))
        for _ = 1, 5 do
          for _ = 1, limit do
            assert.is_number(wait:after_error({ kind = kind, status = 200 },
              120))
          end
          wait:after_answer()
        end
      end)

    for _, between in ipairs { "network", "timeout", "server",
                               "rate_limited" } do
      it(("counts %s on across %s, which it neither counts nor clears by")
        :format(kind, between), function()
          local wait = pace_of({}, always(0.5))
          for _ = 1, limit do
            assert.is_number(wait:after_error({ kind = kind, status = 200 },
              120))
            for _ = 1, 6 do
              assert.is_number(wait:after_error({ kind = between }, 0))
            end
          end
          assert.is_nil(wait:after_error({ kind = kind, status = 200 }, 120))
        end)
    end
  end

  it("counts refusals and unreadable answers apart", function()
    local wait = pace_of({}, always(0.5))
    for _ = 1, 3 do
      assert.is_number(wait:after_error({ kind = "auth" }, 0))
      assert.is_number(wait:after_error({ kind = "protocol" }, 0))
    end
    assert.is_number(wait:after_error({ kind = "protocol" }, 0))
    assert.is_nil(wait:after_error({ kind = "auth" }, 0))
  end)

  it("leaves nothing behind in its table that was there for a fault",
    function()
      local wait = pace_of({}, always(0.5))
      for _, kind in ipairs(errors.kinds) do
        wait:after_error({ kind = kind, status = 200 }, 0)
      end
      wait:after_answer()
      wait.state.interval = nil
      assert.same({}, wait.state)
    end)

  it("ends at once at what happened on this machine", function()
    for _, kind in ipairs { "config", "io", "validation" } do
      assert.is_nil(pace_of({}, always(0.5)):after_error(
        { kind = kind }, 0))
    end
  end)
end)
