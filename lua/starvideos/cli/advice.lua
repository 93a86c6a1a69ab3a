--- How to go on after an error, as lines with the commands to type.
-- @module starvideos.cli.advice

local _M = {}

-- After these the task, as far as is known, is still to be had.
local goes_on = { auth = true, cancelled = true, expired = true, io = true,
  ledger = true, network = true, protocol = true, rate_limited = true,
  server = true, timeout = true }

local about_tasks = { generate = true, create = true, query = true, wait = true,
  download = true }

local function quoted(word)
  if word:find("^[%w_./:-]+$") then
    return word
  end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The address of a ledger without the password that it may hold.
local function address_of(job)
  local address = job.options.ledger
  if address and address:find "^%w+://" then
    return (address:gsub("^(%w+://[^/@:]*):[^/@]*@", "%1@"):gsub("%?.*", ""))
  end
  return address
end

-- A command of this program, for the same ledger.
local function command(job, name, words)
  local line = { "starvideos", name }
  for _, word in ipairs(words) do
    line[#line + 1] = quoted(word)
  end
  local options = { { "--ledger", address_of(job) },
    { "-o", words.output and job.options.output } }
  for _, option in ipairs(options) do
    if option[2] then
      line[#line + 1] = option[1] .. " " .. quoted(option[2])
    end
  end
  return table.concat(line, " ")
end

local function undecided(job, order, task_id)
  local again = order.key and "the command that ordered it, with --resubmit"
    or "dismiss it, and order again"
  local lines = {
    "look at your account with the provider; then, if",
    "  the video is there: " .. command(job, "adopt", { order.id,
      task_id or "TASK" }),
    "  it is not there: " .. again,
    "  to give it up: " .. command(job, "dismiss", { order.id }),
  }
  if order.key then
    table.insert(lines, 1, ("the order: %s, key %s"):format(order.id,
      order.key))
  end
  return lines
end

-- Several orders have told their names before.
local any_order = { id = "ORDER" }

local function go_on(...)
  return { "go on with: " .. command(...) }
end

--- What to do after an error.
-- @tparam table job
-- @tparam table err of a resume: with `again` where it left what can be had
--   yet, and with `undecided`, a list of the orders of unknown fate
-- @treturn ?table lines
function _M.of(job, err)
  local options = job.options
  local id = err.task_id or job.task_id
  if err.undecided and err.undecided[1] then
    return undecided(job, err.undecided[2] and any_order or err.undecided[1])
  elseif options.command == "resume" then
    local left = err.again or err.kind == "cancelled"
    return left and go_on(job, "resume", { output = true }) or nil
  elseif err.kind == "outcome_unknown" then
    return err.order and undecided(job, err.order, err.task_id)
  elseif err.kind == "task_failed" and options.key then
    return { "to order it anew: the same command with --resubmit" }
  elseif id and goes_on[err.kind] and about_tasks[options.command] then
    local saved = options.command ~= "create" and options.output ~= nil
    local name = job.phase == "file" and saved and "download" or "wait"
    return go_on(job, name, { id, output = saved })
  end
end

return _M
