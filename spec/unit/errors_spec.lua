local errors = require "starvideos.errors"
local starvideos = require "starvideos"

local kinds = {
  "validation", "config", "auth", "rate_limited", "invalid_request",
  "not_found", "server", "network", "timeout", "cancelled", "outcome_unknown",
  "task_failed", "expired", "protocol", "io", "ledger", "limited",
}

describe("an error", function()
  it("prints its kind and its message", function()
    local err = errors.new { kind = "auth", message = "the key was refused" }
    assert.equal("auth: the key was refused", tostring(err))
  end)

  it("keeps every field that it was given", function()
    local task = { id = "video_1", status = "queued" }
    local given = { kind = "rate_limited", message = "too fast", status = 429,
                    code = "429", retryable = true, task = task,
                    task_id = "video_1", retry_after = 12,
                    violations = { { field = "prompt" } } }
    local err = errors.new(given)
    for name, value in pairs(given) do assert.same(value, err[name], name) end
    assert.equal(task, err.task)
  end)

  it("prints what assert is given, on hosts that show error objects", function()
    local err = errors.new { kind = "config", message = "no key is set" }
    local ok, raised = pcall(assert, nil, err)
    assert.is_false(ok)
    assert.equal("config: no key is set", tostring(raised))
  end)
end)

describe("errors.kinds", function()
  it("lists exactly the kinds that programs branch on", function()
    local listed = {}
    for i, kind in ipairs(errors.kinds) do listed[i] = kind end
    local expected = {}
    for i, kind in ipairs(kinds) do expected[i] = kind end
    table.sort(listed)
    table.sort(expected)
    assert.same(expected, listed)
  end)

  for _, kind in ipairs(kinds) do
    it("has " .. kind .. ", of which an error can be made", function()
      local err = errors.new { kind = kind, message = "a reason" }
      assert.equal(kind, err.kind)
      assert.equal(kind .. ": a reason", tostring(err))
    end)
  end
end)

describe("errors.is", function()
  it("knows an error of the library", function()
    assert.is_true(errors.is(errors.new { kind = "io", message = "disk full" }))
  end)

  local others = {
    { "a string", "io: disk full" },
    { "a number", 5 },
    { "a boolean", true },
    { "a plain table", { kind = "io", message = "disk full" } },
    { "a table with a foreign metatable",
      setmetatable({ kind = "io" }, { __tostring = function() return "x" end }) },
    { "a function", print },
  }
  for _, case in ipairs(others) do
    it("does not take " .. case[1] .. " for one", function()
      assert.is_falsy(errors.is(case[2]))
    end)
  end

  it("does not take nil for one", function()
    assert.is_falsy(errors.is(nil))
  end)
end)

describe("the error of a failed task", function()
  -- A wait raised for these, as a key was looked for in a number.
  for code, shown in pairs { ['"E1"'] = "E1", ["1303"] = "1303",
    ['["E1"]'] = false, ['{"message":"no"}'] = false } do
    it("has the provider's code as a text or none: " .. code, function()
      local client = assert(starvideos.new { api_key = "sk-1234",
        transport = function()
          return { status = 200, headers = {}, body = ('{"id":"video_1",'
            .. '"status":"failed","error":{"message":"no","code":%s}}')
            :format(code) }
        end })
      local _, err = client:wait("video_1", { first_poll = 0 })
      assert.equal("task_failed", err.kind)
      assert.equal(shown or nil, err.code)
    end)
  end
end)

describe("starvideos.assert", function()
  it("raises the sentence of the error as a string", function()
    local err = errors.new { kind = "auth", message = "the key was refused" }
    local ok, raised = pcall(starvideos.assert, nil, err)
    assert.is_false(ok)
    assert.equal("auth: the key was refused", raised)
  end)

  it("raises on false as well", function()
    local ok, raised = pcall(starvideos.assert, false, "a plain reason")
    assert.is_false(ok)
    assert.equal("a plain reason", raised)
  end)

  it("hands the result through where there is no error", function()
    local task = { id = "video_1" }
    assert.equal(task, (starvideos.assert(task)))
  end)

  it("hands a second result through", function()
    local _, file = starvideos.assert({ id = "video_1" }, { path = "a.mp4" })
    assert.same({ path = "a.mp4" }, file)
  end)
end)

describe("a mistake of the program", function()
  local HERE = "^%.?/?spec/unit/errors_spec%.lua:%d+: "

  local function raised(body, ...)
    local ok, message = pcall(body, ...)
    assert.is_false(ok)
    return message
  end

  local client
  before_each(function() client = assert(starvideos.new { api_key = "key" }) end)
  after_each(function() client:close() end)

  it("is raised at the line of the program, however deep it is noticed", function()
    for _, body in ipairs {
      function() client:query(false) end,
      function() client:query("v", { tries = 1 }) end,
      function() client:resume() end,
      function() client:update() end,
      function() starvideos.new { edition = "none" } end,
      function() starvideos.new { runtime = "ngx" } end,
      function() starvideos.query(false) end,
    } do
      assert.matches(HERE, raised(body))
    end
  end)

  it("is raised there though C calls the library for it", function()
    local _, message = pcall(client.query, client, false)
    assert.matches(HERE, message)
  end)

  it("has no line where no code of the program runs", function()
    local message = raised(coroutine.wrap(client.query), client, false)
    assert.matches("^query takes", message)
  end)

  -- As LuaDBI and the ledger's thread raise them.
  it("shows no place in a source", function()
    for text, shown in pairs {
      ["/usr/share/lua/5.4/starvideos/ledger/database.lua:207: no such column"]
        = "no such column",
      ["the ledger failed: ...st/starvideos/ledger/limits.lua:137: attempt to index nil"]
        = "the ledger failed: attempt to index nil",
      ["it failed: C:\\lua\\DBI.lua:3: busy"] = "it failed: busy",
      ['[string "x = 1"]:12: no value'] = "no value",
      ["at 12:30: 5 orders"] = "at 12:30: 5 orders",
    } do
      assert.equal(shown, errors.new { kind = "ledger", message = text }.message)
    end
  end)
end)
