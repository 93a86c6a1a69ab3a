-- Many processes against a limit of one ledger: what they buy together.

local core = require "starvideos.core"
local databases = require "starvideos.ledger.database"
local files = require "spec.fixtures.files"
local interpreter = require "spec.fixtures.interpreter"
local postgres = require "spec.fixtures.postgres"
local shell = require "starvideos.nginx.shell"
local starvideos = require "starvideos"

local PROCESSES = 50
local CAP = 20

local SPEND = [[{
  for name in $(seq @processes@); do
    timeout 100 @lua@ spec/ledger/@program@.lua @address@ @folder@ $name @count@ &
  done
  wait
  : >@folder@/done
} >@folder@/output 2>&1 </dev/null &]]

describe("many processes with one ledger", function()
  local server, folder

  setup(function()
    server = postgres.start { connections = PROCESSES + 10 }
  end)

  teardown(function()
    assert.is_true(server:stop())
  end)

  before_each(function()
    folder = files.folder()
  end)

  after_each(function()
    files.remove(folder)
  end)

  local function lines(name)
    local list = {}
    local file = io.open(folder .. "/" .. name)
    for line in file and file:lines() or function() end do
      list[#list + 1] = line
    end
    if file then
      file:close()
    end
    return list
  end

  local function is_there(name)
    local file = io.open(folder .. "/" .. name)
    return file ~= nil and file:close() ~= nil
  end

  local function await(reached)
    for _ = 1, 6000 do
      if reached() then
        return
      end
      core.sleep(0.01)
    end
    error("too slow: " .. table.concat(lines "output", "\n"))
  end

  local function limit(address, options)
    local client = assert(starvideos.new { ledger = address, api_key = "key" })
    local list = assert(client:limits(options))
    client:close()
    return list
  end

  -- Lets so many processes order so many videos each; `meanwhile` is called
  -- until they have ended.
  local function spend(address, processes, count, meanwhile, program)
    assert(shell.run(shell.fill("mkfifo @folder@/go", { folder = folder })))
    shell.run(shell.fill(SPEND, { lua = interpreter, address = address,
      folder = folder, processes = tostring(processes),
      count = tostring(count), program = program or "spender" }))
    await(function() return #lines "ready" == processes end)
    local go = assert(io.open(folder .. "/go", "w"))
    await(function()
      meanwhile()
      return is_there "done"
    end)
    go:close()
  end

  local addresses = {
    ["a file"] = function() return folder .. "/ledger.db" end,
    ["a server"] = function()
      server:empty()
      return server.url
    end,
  }

  for place, address_of in pairs(addresses) do
    for option, options in pairs {
      open = { open = CAP },
      spend = { spend = CAP, currency = "USD" },
    } do
      it(("buy exactly what the limit %s in %s allows"):format(option, place),
        function()
          local address = address_of()
          limit(address, options)
          spend(address, PROCESSES, 1, function() end)
          assert.equal(PROCESSES, #lines "outcomes",
            table.concat(lines "output", "\n"))
          assert.equal(CAP, #lines "bought")
          assert.equal(CAP, limit(address)[1].used)
        end)
    end
  end

  it("wait for one that was stopped within a transaction, and no longer than a"
    .. " ledger is waited for", function()
    local address = addresses["a server"]()
    limit(address, { open = 2 })
    local stopped = databases.new(address)
    finally(function() stopped:close() end)
    assert(stopped:run "BEGIN")
    assert(stopped:rows "SELECT pg_advisory_xact_lock(7827364)")
    assert(stopped:run "UPDATE starvideos_limits SET used = used + 1")
    local client = assert(starvideos.new { ledger = address, api_key = "key",
      transport = function()
        return { status = 200, headers = {},
          body = '{"id":"task","status":"queued"}' }
      end })
    local task, err = client:create { model = "videos", prompt = "a kite",
      duration = 5 }
    client:close()
    assert(task, tostring(err))
    assert.equal(1, limit(address)[1].used)
  end)

  -- What the orders of a ledger use of its limits, and what these say of it.
  local COUNTED = [[SELECT l.name, l.used, l.cap, (SELECT
    CASE WHEN l.kind = 'open' THEN COUNT(o.slot)
    ELSE SUM(CASE WHEN o.spent_in IS NULL THEN 0 ELSE o.cost END) END
    FROM starvideos_orders AS o WHERE l.scope = ''
    OR l.scope = 'account' AND o.account = l.value
    OR l.scope = 'label' AND o.label = l.value) AS counted
    FROM starvideos_limits AS l]]

  for place, address_of in pairs(addresses) do
    it("that change all limits at the same time lose none of it, in " .. place,
      function()
        local address = address_of()
        limit(address, { open = 9 })
        limit(address, { open = 4, label = "draft" })
        limit(address, { spend = 60 / 1e6, currency = "USD" })
        limit(address, { spend = 40 / 1e6, currency = "USD", account = "blue" })
        spend(address, 2, 250, function() end, "limited_lives")
        assert.same({}, lines "output")
        assert.is_true(#lines "outcomes" > 50)
        local database = databases.new(address)
        finally(function() database:close() end)
        local rows = assert(database:rows(COUNTED))
        assert.equal(4, #rows)
        for _, row in ipairs(rows) do
          assert.equal(tonumber(row.counted) or 0, row.used, row.name)
          assert.is_true(row.used <= row.cap, row.name)
        end
      end)
  end

  -- What an order had that nobody knows the outcome of is kept. One cut to four outcomes:
  -- where connecting takes longer than the time between two cuts, nobody would buy.
  it("never buy more while their connections are cut at random", function()
    local address = addresses["a server"]()
    limit(address, { spend = CAP, currency = "USD" })
    limit(address, { open = CAP })
    local database, cut = databases.new(address), 0
    spend(address, 10, 12, function()
      if #lines "outcomes" < 4 * cut then
        return
      end
      local rows = assert(database:rows [[SELECT pg_terminate_backend(pid) AS cut
        FROM pg_stat_activity WHERE pid <> pg_backend_pid()
        AND backend_type = 'client backend' ORDER BY random() LIMIT 1]])
      cut = cut + #rows
    end)
    local used = limit(address)
    local counted = database:rows [[SELECT COUNT(slot) AS slots,
      SUM(CASE WHEN spent_in IS NULL THEN 0 ELSE cost END) AS spent
      FROM starvideos_orders]][1]
    database:close()
    assert.is_true(cut > 5, cut)
    assert.is_true(#lines "bought" <= CAP)
    assert.is_true(#lines "bought" > CAP / 2)
    assert.equal(tonumber(counted.slots), used[1].used)
    assert.equal(counted.spent / 1e6, used[2].used)
    assert.is_true(used[2].used >= #lines "bought" and used[2].used <= CAP)
  end)
end)
