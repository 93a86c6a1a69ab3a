-- The error of an order says whether something was bought, and what to do.

local errors = require "starvideos.errors"
local operations = require "starvideos.provider.operations"
local task_reader = require "starvideos.provider.answer"
local sandbox = require "starvideos.sandbox"
local starvideos = require "starvideos"

local function time()
  local now = 0
  return function()
    return now
  end, function(seconds)
    now = now + seconds
    return true
  end
end

local function order(scenario)
  local clock, sleep = time()
  local box = sandbox.new { clock = clock, sleep = sleep }
  local client = assert(starvideos.new { api_key = box.key, clock = clock,
    transport = box:transport(), sleep = sleep })
  local task, err = client:create { model = "videos", duration = 5,
    prompt = "[scenario:" .. scenario .. "]" }
  return task, err, box:tasks().billed
end

local function says(err, words)
  return err.message:find(words, 1, true) ~= nil
end

describe("the error of an order", function()
  for _, row in ipairs(sandbox.scenarios()) do
    if row.place == "create" then
      it("says of " .. row.name .. " whether it was bought", function()
        local task, err, billed = order(row.name)
        if not task then
          local unknown = err.kind == "outcome_unknown"
          assert.equal(not unknown, says(err, "nothing was bought"), err.message)
          assert.equal(unknown, says(err, "may have been bought"))
          assert.is_true(unknown or billed == 0)
        end
      end)
    end
  end

  local advice = {
    { "create_429_long", "; nothing was bought; order again in 3600 s" },
    { "create_429_bare", "; nothing was bought; order again in a minute" },
    { "create_402", "(the balance is used up); nothing was bought; top up your"
      .. " account with the provider, then order again" },
    { "create_quota", "top up your account" },
    { "create_policy_chinese", "; change the order before you send it again" },
    { "create_auth", "; check STARVIDEOS_API_KEY" },
    { "create_404", "; check base_url, which looks like https://" },
  }
  for _, row in ipairs(advice) do
    it("says what to do about " .. row[1], function()
      local _, err = order(row[1])
      assert.is_true(says(err, row[2]), err.message)
    end)
  end

  it("does not blame the key for what a proxy refused", function()
    local _, err = task_reader.read(operations.create, { status = 403,
      headers = {}, body = "<html>blocked</html>" })
    assert.equal("config", err.kind)
    assert.is_true(says(err, "; nothing was bought; look at"))
    assert.is_false(says(err, "API key"))
  end)

  it("does not say that nothing was bought where there is a task", function()
    local _, err = task_reader.read(operations.create, { status = 429,
      headers = {}, body = '{"id":"video_1"}' })
    assert.equal("outcome_unknown", err.kind)
    assert.is_false(says(err, "nothing was bought"))
    assert.is_true(says(err, "names task video_1"))
    assert.is_true(says(err, "may have been bought"))
  end)

  local unsent = { "refused", "insecure", "cancelled", "timeout" }
  for _, reason in ipairs(unsent) do
    it("says that nothing was bought where nothing was sent: " .. reason,
      function()
        local clock, sleep = time()
        local client = assert(starvideos.new { api_key = "a-key",
          clock = clock, sleep = sleep, transport = function()
            return nil, { reason = reason, sent = false }
          end })
        local params = { model = "videos", prompt = "a kite", duration = 5 }
        local _, err = client:create(params)
        assert.is_true(errors.is(err))
        assert.is_true(says(err, "nothing was bought"), err.message)
        params.duration = 99
        _, err = client:create(params)
        assert.is_true(says(err, "; nothing was sent"), err.message)
      end)
  end
end)
