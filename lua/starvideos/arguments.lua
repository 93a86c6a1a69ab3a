-- The call of a client's method: its arguments are checked, its operation runs, its
-- result is handed over. Where the program is at fault a check raises, and names the
-- line of the program; what cannot be sent it refuses with nil and an err.

local contexts = require "starvideos.context"
local errors = require "starvideos.errors"
local listener = require "starvideos.base.listener"
local options = require "starvideos.options"
local redact = require "starvideos.base.redact"
local wire = require "starvideos.order.wire"

local _M = {}

-- Check that a client can be used. `context`: of the client, nil for what is no client.
-- `name`: of the call. Raises for what is no client, or a closed one.
function _M.client(context, name)
  if not context then
    errors.misuse(name .. ": call it with a colon on a client of starvideos.new")
  elseif context.closed then
    errors.misuse(name .. ": this client was closed")
  end
  return context
end

-- Check that the runtime of a client has what a call is for. `context`: of the client,
-- nil for what is no client. `name`: of the call. `method`: that the runtime must have.
-- `runtimes`: that have it, for the message. Raises also where it has not.
function _M.runtime(context, name, method, runtimes)
  _M.client(context, name)
  if not context.runtime[method] then
    errors.misuse(("%s is for the runtime %s: pass runtime to starvideos.new, or"
      .. " call the operation itself"):format(name, runtimes))
  end
  return context
end

-- Check that something is a number of seconds. `name`: of the call. Raises where it is
-- not.
function _M.seconds(name, seconds)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    errors.misuse(("%s takes a number of seconds, 0 or more, not %s"):format(name,
      type(seconds) == "number" and tostring(seconds)
        or "a " .. type(seconds)))
  end
end

-- Nothing can be sent without a key; that is said before anybody waits.
local function check_key(context)
  if context.api_key then
    return true
  end
  return nil, errors.new {
    kind = "config",
    message = "no API key, so nothing was sent: put it into the environment"
      .. " (export STARVIDEOS_API_KEY=...) or pass api_key to starvideos.new;"
      .. " to try without one, run starvideos sandbox",
  }
end

local function not_of(name, wanted, value)
  return ("%s takes %s, not %s"):format(name, wanted,
    type(value) == "table" and "a table without an id" or "a " .. type(value))
end

local function id_of(value)
  local id = type(value) == "table" and value.id or value
  return type(id) == "string" and id or nil
end

local function not_params(name, params)
  return not_of(name, "a table of parameters", params)
end

-- Check parameters where there is nothing else to check. `name`: of the call. Raises
-- where they are no table.
function _M.params(name, params)
  if type(params) ~= "table" then
    errors.misuse(not_params(name, params))
  end
end

-- Each kind of argument: what the operation gets for it; or nil and an err, or
-- nil and a sentence for a mistake of the program.
local kinds = {}

function kinds.params(_, name, params)
  if type(params) ~= "table" then
    return nil, not_params(name, params)
  end
  return params
end

function kinds.task_id(context, name, task)
  if type(task) == "table" and task.state and task.attempts then
    return nil, name .. " takes a task or its id, not an order: pass its task_id"
  end
  local id = id_of(task)
  if not id then
    return nil, not_of(name, "a task or its id", task)
  elseif not id:find("%S") then
    return nil, errors.new { kind = "validation",
      message = "the task id is empty" }
  end
  if context.api_key then
    return id
  end
  return check_key(context)
end

function kinds.task(context, name, task)
  local id, problem = kinds.task_id(context, name, task)
  return id and task, problem
end

-- A list of tasks, and by id the errors of those that cannot be waited for.
function kinds.tasks(context, name, list)
  if type(list) ~= "table" then
    return nil, not_of(name, "a list of tasks or ids", list)
  end
  local faults, count = {}, 0
  for _ in pairs(list) do
    count = count + 1
    local item = list[count]
    local _, problem = kinds.task_id(context, name, item)
    if type(problem) == "string" then
      return nil, problem
    end
    if problem then
      faults[id_of(item)] = problem
    end
  end
  return { list = list, faults = faults }
end

-- A manifest has more fields than its list.
function kinds.orders(_, name, list)
  if type(list) ~= "table" then
    return nil, not_of(name, "a list of orders", list)
  end
  local count = 0
  for index in pairs(list) do
    count = count + (type(index) == "number" and 1 or 0)
  end
  if count ~= #list then
    return nil, name .. " takes a list of orders without a hole"
  end
  return list
end

function kinds.order(_, name, order)
  local id = id_of(order)
  return id, not id and not_of(name, "an order or its id", order) or nil
end

function kinds.path(_, name, path)
  if type(path) ~= "string" or path == "" then
    return nil, ("%s takes the path of a file, not %s"):format(name,
      tostring(path))
  end
  return path
end

function kinds.account(context, name, account)
  account = account or context.account
  if type(account) ~= "string" or not account:find "%S" then
    return nil, name .. " takes the name of an account"
  end
  return account
end

-- What a client must have for an option, by the calls that take it.
local key = { option = "key", what = "ledger", article = "a ledger" }
local take = { option = "take", what = "ledger", article = "a ledger" }
local label = { option = "label", what = "ledger", article = "a ledger" }
local limit_timeout = { option = "limit_timeout", what = "ledger",
  article = "a ledger" }
local max_age = { option = "max_age", what = "shared",
  article = "a shared dictionary" }
local needs = { create = { key, take, label, limit_timeout },
  generate = { key, take, label, limit_timeout },
  query = { max_age } }

-- What is missing for the options of a call, as a sentence.
local function missing(context, call, given)
  local name = call.name
  if next(given) == nil and not call.requires then
    return nil
  end
  if call.requires and not given[call.requires] then
    return ("%s needs the option %s: %s"):format(name, call.requires,
      call.reason)
  end
  local found = {}
  for _, need in ipairs(needs[name] or {}) do
    found[need] = given[need.option] ~= nil
    if found[need] and not context[need.what] then
      return ("option %s of %s needs %s: pass %s to starvideos.new")
        :format(need.option, name, need.article, need.what)
    end
  end
  if found[take] and not given.key and not given.path then
    return ("option take of %s needs a key, or a path: together they name an"
      .. " order"):format(name)
  end
end

-- Check the options of `starvideos.new`. Raises for a name or a type that it does not
-- take.
function _M.options(given)
  return options.check("new", given)
end

-- Checks one argument; the first err is kept, a mistake is raised at once.
local function take_argument(context, call, index, value, err)
  local result, problem = kinds[call.takes[index]](context, call.name, value)
  if type(problem) == "string" then
    errors.misuse(problem)
  end
  return result, err or problem
end

local function take_options(context, call, value)
  local given = options.check(call.name, value)
  if value == nil and not call.requires and not call.refuses then
    return given
  end
  local wanted = missing(context, call, given)
    or call.refuses and call.refuses(given)
  if wanted then
    errors.misuse(wanted)
  end
  return listener.guarded(context, given)
end

-- Checks what a method was given: an err (config without a key, validation for an
-- empty id), and what its operation gets.
local function check_arguments(context, call, first, second, third)
  local count, err = #call.takes, nil
  if call.key then
    err = select(2, check_key(context))
  end
  if call.ledger and not context.ledger then
    errors.misuse(call.name
      .. " needs a ledger: pass ledger to starvideos.new")
  end
  if count == 0 then
    first = take_options(context, call, first)
    return err, first
  end
  first, err = take_argument(context, call, 1, first, err)
  if count == 1 then
    second = take_options(context, call, second)
    return err, first, second
  end
  second, err = take_argument(context, call, 2, second, err)
  third = take_options(context, call, third)
  return err, first, second, third
end

-- PUC Lua 5.1 prints no error tables: there the sentence is raised instead.
local shows_tables = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

-- The results of a call, without the key. An interrupt is no result: like Ctrl-C
-- anywhere else it unwinds the program, but with an error that says which task was
-- left. `context`: of the client. `err`: what follows it. Raises after Ctrl-C, unless
-- the client returns it.
function _M.result(context, value, err)
  if value ~= nil or not errors.is(err) then
    return value, err
  end
  err.message = redact.key(err.message, context.api_key)
  err.code = redact.key(err.code, context.api_key)
  if err.interrupted and context.interrupts ~= "return" then
    error(shows_tables and err or tostring(err), 0)
  end
  return nil, err
end

local function finish(row, context, err, ...)
  if err then
    return nil, err
  end
  return _M.result(context, row.run(context, ...))
end

-- Run an operation as a method of a client does. `row`: as in `rows`. `...`: what the
-- method was given. Returns what the operation gives.
function _M.run(row, self, ...)
  local context = _M.client(contexts.of(self), row.name)
  context.runtime:check(row.name)
  wire.collect()
  return finish(row, context, check_arguments(context, row, ...))
end

-- What the methods that wait do, by their names. A row has `takes`, a list of the kinds
-- of its arguments (`params`, `task`, `task_id`, `tasks`, `orders`, `order`, `path`,
-- `account`), two at most, after which come its options; `ledger` and `key`, whether it
-- needs one; `requires`, an option that must be there, and `reason`, what for;
-- `refuses`, a function that gets the options and returns a sentence where they do not
-- go together; and `run`, which gets the context and the arguments, the options last,
-- whose listeners can be called without care. Its `name` is put in here.
_M.rows = setmetatable({}, { __newindex = function(rows, name, row)
  row.name = name
  rawset(rows, name, row)
end })

-- Call a method. `name`: of its row. `...`: what the method was given. Returns what the
-- operation gives.
function _M.call(self, name, ...)
  return _M.run(_M.rows[name], self, ...)
end

return _M
