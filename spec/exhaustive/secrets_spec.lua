-- After each fault of the table: neither the key nor the signature of a link
-- can be read in anything that a program shows, logs or writes down.

local answers = require "spec.faults.answers"
local cli = require "starvideos.cli"
local faults = require "spec.faults.table"
local json = require "starvideos.base.json"
local leaks = require "spec.faults.leaks"
local memory = require "starvideos.ledger.memory"
local servers = require "spec.faults.server"
local shell = require "starvideos.nginx.shell"
local trials = require "spec.faults.trial"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"

local function leaks_nothing(value, place)
  assert.same({}, leaks.places(value, place))
end

-- What becomes of the request does not matter here.
local SHORT_LIMIT = 0.1

-- For each fault and operation the first state of connections it is met in.
local cells, seen = {}, {}
for _, cell in ipairs(trials.cells(faults)) do
  local name = cell.fault.name .. ": " .. cell.operation
  if not seen[name] then
    seen[name] = true
    cell.limit = cell.fault.slow and SHORT_LIMIT or nil
    cells[#cells + 1] = cell
  end
end

local function cell_of(name, operation)
  for _, cell in ipairs(cells) do
    if cell.fault.name == name and cell.operation == operation then
      return cell
    end
  end
end

describe("the search", function()
  local half = answers.key:sub(5, -5)

  for name, value in pairs {
    text = "key=" .. half,
    field = { deep = { er = half } },
    name = { [half] = true },
    ["metatable's field"] = setmetatable({}, { __index = { hidden = half } }),
    sentence = setmetatable({}, { __tostring = function() return half end }),
  } do
    it("finds a secret in a " .. name, function()
      assert.equal(1, #leaks.places(value))
    end)
  end

  it("finds nothing where nothing is", function()
    local round = { { "sk-", answers.id } }
    round[2] = round
    assert.same({}, leaks.places(round))
  end)
end)

describe("no secret is shown", function()
  local server, ledger

  setup(function()
    server = servers.start()
    ledger = server.folder .. "/orders.db"
  end)

  teardown(function()
    server:stop()
  end)

  -- For another process: this one would write back what it knows.
  local function remove_ledger()
    memory.clear()
    for _, suffix in ipairs { "", "-wal", "-shm" } do
      os.remove(ledger .. suffix)
    end
  end

  -- What the ledger has on disk, also while it is open.
  local function ledger_bytes()
    local all = {}
    for _, suffix in ipairs { "", "-wal", "-shm" } do
      local file = io.open(ledger .. suffix, "rb")
      all[#all + 1] = file and file:read "*a"
      if file then
        file:close()
      end
    end
    return table.concat(all)
  end

  -- A ledger that knows the task, unless the trial is to order it.
  local function begin_ledger(cell)
    remove_ledger()
    if cell.operation ~= "create" then
      trials.order_before(server, cell, { ledger = ledger })
    end
  end

  for _, cell in ipairs(cells) do
    it(("by %s after %s"):format(cell.operation, cell.fault.name), function()
      begin_ledger(cell)
      local trial = trials.begin(server, cell, { ledger = ledger })
      local _, err = trials.operate(trial)
      leaks_nothing(err, "the error")
      leaks_nothing(trial.events, "the events")
      assert.is_true(#trial.events > 0)
      leaks_nothing(trial.client, "the client")
      local open = ledger_bytes()
      leaks_nothing(open, "the open ledger")
      assert.truthy(cell.fault.order or open:find("media.example", 1, true))
      leaks_nothing(trial.client:pending(), "the pending orders")
      trials.finish(server, trial)
      leaks_nothing(ledger_bytes(), "the closed ledger")
    end)
  end

  -- A file of the command line's.
  local function sheet()
    return {
      text = "",
      write = function(self, ...)
        self.text = self.text .. table.concat({ ... })
        return self
      end,
      flush = function() return true end,
    }
  end

  local words = {
    create = { "create", "--params", "order.json" },
    query = { "query", answers.id },
    wait = { "wait", answers.id, "--timeout", "300", "-o", "video.mp4" },
    download = { "download", answers.id, "-f", "-o", "video.mp4" },
    pending = { "pending" },
  }

  local function line_of(command, ...)
    local line = { ... }
    for index, word in ipairs(words[command]) do
      table.insert(line, index, word:find "%.%w+$"
        and server.folder .. "/" .. word or word)
    end
    return line
  end

  local function environment(trial)
    local file = assert(io.open(server.folder .. "/order.json", "wb"))
    file:write(json.encode(trial.order))
    file:close()
    return { STARVIDEOS_API_KEY = answers.key, STARVIDEOS_BASE_URL = trial.url,
      STARVIDEOS_LEDGER = ledger, SSL_CERT_FILE = server.ca_file }
  end

  -- Exit code, stdout, stderr.
  local function run(trial, line)
    local known, out, err = environment(trial), sheet(), sheet()
    local function no() return false end
    local code = cli.main(line, { stdin = io.stdin, stdout = out, stderr = err,
      getenv = function(name) return known[name] end,
      terminal = no, stdout_terminal = no,
      client_options = trials.client_options(server, trial) })
    return code, out.text, err.text
  end

  local function check_output(code, out, err)
    leaks_nothing(err, "stderr")
    leaks_nothing(code ~= 0 and out, "stdout")
    leaks_nothing(ledger_bytes(), "the ledger")
  end

  for _, cell in ipairs(cells) do
    it(("by starvideos %s --verbose after %s"):format(cell.operation,
      cell.fault.name), function()
        begin_ledger(cell)
        local trial = trials.prepare(server, cell)
        local code, out, err = run(trial, line_of(cell.operation, "--verbose"))
        assert.truthy(err:find(trial.url, 1, true))
        check_output(code, out, err)
        check_output(1, select(2, run(trial, line_of "pending")))
      end)
  end

  for _, cell in ipairs(cells) do
    if not cell.fault.slow then
      it(("by starvideos %s --verbose --json after %s"):format(cell.operation,
        cell.fault.name), function()
          begin_ledger(cell)
          local trial = trials.prepare(server, cell)
          check_output(run(trial, line_of(cell.operation, "--verbose",
            "--json")))
        end)
    end
  end

  it("by the program itself, as a process", function()
    local trial = trials.prepare(server, cell_of("a page at 502", "create"))
    local command = { LUA, "-e",
      'os.exit(require("starvideos.cli").main(arg), true)', "/dev/null" }
    for _, word in ipairs(line_of("create", "--verbose")) do
      command[#command + 1] = word
    end
    for index, word in ipairs(command) do
      command[index] = shell.quote(word)
    end
    for name, value in pairs(environment(trial)) do
      table.insert(command, 1, name .. "=" .. shell.quote(value))
    end
    local shown = shell.read(table.concat(command, " ") .. " 2>&1")
    assert.truthy(shown:find(trial.url, 1, true))
    leaks_nothing(shown, "the output")
  end)
end)
