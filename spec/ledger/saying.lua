-- What the provider says, and a row cannot hold: it harms that row alone, whose outcome is
-- on record, and no later order. Specs to be run over each database.

local assert = require "luassert"
local busted = require "busted"
local crews = require "spec.fixtures.crew"
local json = require "starvideos.base.json"
local memory = require "starvideos.ledger.memory"
local worlds = require "spec.ledger.world"

local it = busted.it

-- PostgreSQL would compress what repeats itself.
local function long_id()
  local parts, number = {}, 7
  for index = 1, 750 do
    number = (number * 16807) % 2147483647
    parts[index] = ("%08x"):format(number)
  end
  return table.concat(parts)
end

local LONG = long_id()

-- Status and fields of the answer, and the state that the order gets.
local answers = {
  { "no money left, in Chinese", 402, { message = "余额不足" }, "refused" },
  { "a refusal of a megabyte", 400,
    { error = { message = ("额度 "):rep(150000) } }, "refused" },
  { "bytes that are no UTF-8", 400, '{"message":"no \255\0\254 such model"}', "refused" },
  { "a word that nobody knows, in Chinese", 200, { status = "排队", message = "余额 😀" },
    "refused" },
  { "an id of 6,000 characters", 200, { id = LONG, status = "queued" }, "accepted" },
  { "an id in Chinese", 200, { id = "视频-1", status = "queued" }, "accepted" },
  { "an id with a NUL", 200, '{"id":"task\\u0000_1","status":"queued"}', "unknown" },
  { "a failed task, in Chinese", 200,
    { id = "t1", status = "failed", error = "余额不足 😀" }, "failed" },
  { "a time beyond any", 200, '{"id":"t2","status":"queued","created":1e300}',
    "accepted" },
  { "a time beyond 64 bits", 200,
    '{"id":"t3","status":"queued","created":99999999999999999999}', "accepted" },
  { "a time before all", 200,
    '{"id":"t4","status":"queued","created":-9223372036854775808}', "accepted" },
}

return worlds.behaviour("what the provider says", function(each)
  local world, client

  each(function(new_world)
    world, client = new_world, new_world:client()
  end)

  -- One answer to the next create; all later ones are the sandbox's.
  local function answer_once(status, fields)
    local transport = world.transport
    function world.transport()
      world.transport = transport
      return { status = status, headers = {},
        body = type(fields) == "string" and fields or json.encode(fields) }
    end
  end

  local function rows()
    return world:rows("SELECT state, task_id, error FROM starvideos_orders"
      .. " ORDER BY order_id")
  end

  for _, row in ipairs(answers) do
    local name, status, fields, state = row[1], row[2], row[3], row[4]
    it("harms no other order: " .. name, function()
      answer_once(status, fields)
      client:create(world.params(), { key = "one" })
      assert(client:create(world.params(), { key = "two" }))
      assert.same({ state, "accepted" }, world:states())
      assert.same({}, memory.backlogs[world.address] or {})
    end)
  end

  it("may be an id of any length, by which its order is found", function()
    answer_once(200, { id = LONG, status = "queued" })
    local task = assert(client:create(world.params(), { key = "one" }))
    assert.equal(LONG, task.id)
    assert.equal(LONG, rows()[1].task_id)
    memory.clear()
    local transport = world.transport
    function world.transport()
      world.transport = transport
      return { status = 200, headers = {},
        body = json.encode { id = LONG, status = "failed", error = "故障" } }
    end
    assert.is_nil((world:client():wait(LONG, { interval = 10 })))
    assert.same({ "failed" }, world:states())
  end)

  it("halts the queue in words that the ledger has", function()
    local crew = crews.new(world)
    crew:enqueue(4)
    function world.transport()
      return { status = 402, headers = {}, body = '{"message":"余额不足"}' }
    end
    local result, err = crew:client():work { directory = world.folder }
    crew.close()
    assert.is_nil(result)
    assert.equal("invalid_request", err.kind)
    assert.equal(2, world:sent "POST")
    local gates = world:rows "SELECT reason FROM starvideos_limits WHERE kind = 'halt'"
    assert.truthy(gates[1] and gates[1].reason, "no halt is in the ledger")
  end)

  -- A rule of somebody who looks after the database.
  local function forbid(id)
    if not world.address:find "^postgres" then
      return world:run(("CREATE TRIGGER no BEFORE UPDATE ON starvideos_orders"
        .. " WHEN NEW.task_id = '%s' BEGIN SELECT RAISE(ABORT, 'not this one'); END")
        :format(id))
    end
    world:run(("ALTER TABLE starvideos_orders DROP CONSTRAINT IF EXISTS no,"
      .. " ADD CONSTRAINT no CHECK (task_id <> '%s')"):format(id))
  end

  it("ends no run of a worker where it cannot be written", function()
    local crew = crews.new(world)
    crew:enqueue(3)
    forbid "forbidden"
    answer_once(200, { id = "forbidden", status = "queued" })
    local result, err = crew:client():work { directory = world.folder }
    crew.close()
    assert.is_nil(result)
    assert.same({ "ledger", "forbidden" }, { err.kind, err.task_id })
    assert.equal(2, world:billed())
    assert.equal(2, #world:rows
      "SELECT order_id FROM starvideos_orders WHERE state = 'downloaded'")
  end)

  it("is told where no part of it can be written, and later orders go on", function()
    assert(client:create(world.params(), { key = "zero" }))
    forbid "forbidden"
    answer_once(200, { id = "forbidden", status = "queued" })
    local began = world.now
    local task, err = client:create(world.params(), { key = "one" })
    assert.is_nil(task)
    assert.same({ "ledger", "forbidden" }, { err.kind, err.task_id })
    assert.equal(began, world.now) -- nobody waits for what will not change
    assert(client:create(world.params(), { key = "two" }))
    assert(client:pending())
    assert(client:create(world.params(), { key = "three" }))
    assert.equal(1, #memory.backlogs[world.address])
  end)
end)
