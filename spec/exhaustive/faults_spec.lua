-- The whole table of faults: each operation meets each fault that it can, in
-- each state of the connections, and the server counts what arrived.

local answers = require "spec.faults.answers"
local faults = require "spec.faults.table"
local files = require "spec.fixtures.files"
local servers = require "spec.faults.server"
local trials = require "spec.faults.trial"

local read = files.read

local function is_one_of(names, name)
  return ("|" .. names .. "|"):find("|" .. name .. "|", 1, true) ~= nil
end

-- Where chance decides, what is said of an order must be what happened to it.
local function check_race(err, tries)
  if err.kind == "network" then
    assert.is_false(err.sent)
    assert.equal(3, tries)
  else
    assert.is_true(err.sent)
    assert.is_true(tries <= 3)
  end
end

local function check_order(trial, err, tries)
  local wanted = trial.outcome
  assert.is_nil(trial.result)
  assert.is_true(is_one_of(wanted.kind, err.kind), tostring(err))
  assert.equal(wanted.status, err.status)
  if wanted.kind == "outcome_unknown" then
    assert.equal(wanted.names_task and answers.id or nil, err.task_id)
  end
  if not wanted.tries then
    return check_race(err, tries)
  end
  assert.equal(wanted.sent, err.sent)
  assert.is_true(is_one_of(wanted.phase, err.phase), err.phase)
  assert.equal(wanted.sent, (err.bytes_sent or 0) > 0)
  assert.equal(wanted.tries, tries)
end

local function check_reading(trial, err)
  assert.equal(0, #trials.posts(trial))
  local came = trial.result and "done" or err.kind
  assert.is_true(is_one_of(trial.outcome, came), tostring(err))
  if trial.state.h2 and trial.fault.steps then
    assert.is_true(trial.record.h2 > 0)
  end
end

local checks = { wait = check_reading }

function checks.create(trial, err)
  local posts, tries = trials.posts(trial), trials.tries(trial)
  assert.equal(trial.outcome.posts, #posts)
  for _, post in ipairs(posts) do
    assert.equal(1, post.number)
    assert.truthy(post.line:find "^POST /v1/")
  end
  assert.equal(trial.state.h2 and trial.state.used or 0, trial.record.h2)
  if trial.outcome.kind then
    check_order(trial, err, tries)
  else
    assert.equal(answers.id, trial.result.id)
  end
end

-- What went over the connection of the query before is what was to be tried.
function checks.query(trial, err)
  check_reading(trial, err)
  local reused = 0
  for _, request in ipairs(trial.record) do
    reused = reused + (request.number > 1 and 1 or 0)
  end
  assert.equal(trial.state.warm and 1 or 0, reused)
end

function checks.download(trial, err)
  check_reading(trial, err)
  for _, request in ipairs(trial.record) do
    assert.is_false(request.has_key and request.line:find "/media/" ~= nil)
  end
end

local function title(cell)
  local wanted = cell.outcome
  if type(wanted) == "table" then
    wanted = ("%s, %d sent"):format(wanted.kind or "done", wanted.posts)
  end
  return ("%s, %s, %s: %s"):format(cell.fault.name, cell.operation,
    cell.state.name, wanted)
end

describe("under each fault", function()
  local server

  setup(function()
    server = servers.start()
  end)

  teardown(function()
    server:stop()
  end)

  for _, cell in ipairs(trials.cells(faults)) do
    it(title(cell), function()
      local trial = trials.begin(server, cell)
      local _, err = trials.operate(trial)
      local saved = read(trial.path)
      trials.finish(server, trial)
      checks[cell.operation](trial, err)
      assert.equal(cell.operation == "download" and trial.result
        and answers.video or nil, saved)
    end)
  end

  for _, cell in ipairs(trials.cells(faults)) do
    if cell.operation == "download" and cell.state.name == "fresh"
      and not cell.fault.address then
      it(("and then none, a file arrives whole: %s"):format(cell.fault.name),
        function()
          local trial = trials.begin(server, cell)
          trials.operate(trial)
          assert(trials.download_again(server, trial))
          assert.equal(answers.video, read(trial.path))
          trials.finish(server, trial)
        end)
    end
  end
end)
