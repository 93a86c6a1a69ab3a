-- What a caller gave, as the ledger keeps it, and back. The parameters of an order are
-- the same text whatever the order of its fields; people may read it, and it holds no
-- secrets.

local c_locale = require "starvideos.base.c_locale"
local schema = require "starvideos.ledger.schema"
local core = require "starvideos.core"
local errors = require "starvideos.errors"
local json = require "starvideos.base.json"
local redact = require "starvideos.base.redact"
local tasks = require "starvideos.base.task" -- a task for its readers: plain data
local utf8 = require "starvideos.base.utf8"

local _M = {}

-- Tells two queries apart without showing either: 32 bits, below which the
-- product stays exact in a float.
local PRIME, FACTOR = 4294967291, 65599

local function digest(text)
  local sum = #text
  for i = 1, #text do
    sum = (sum * FACTOR + text:byte(i)) % PRIME
  end
  return ("%08x"):format(sum)
end

local write

local function write_list(list, api_key)
  local items = {}
  for index, value in ipairs(list) do
    items[index] = write(value, api_key)
  end
  return "[" .. table.concat(items, ",") .. "]"
end

local function write_object(object, api_key)
  local names, values, items = {}, {}, {}
  for key, value in pairs(object) do
    local name = tostring(key)
    names[#names + 1], values[name] = name, value
  end
  table.sort(names)
  for index, name in ipairs(names) do
    items[index] = json.name(name) .. ":" .. write(values[name], api_key, name)
  end
  return "{" .. table.concat(items, ",") .. "}"
end

-- A prompt is a sentence with URLs in it at most.
function write(value, api_key, name)
  if type(value) == "string" then
    local text = redact[name == "prompt" and "urls" or "url"](value, digest)
    return json.encode(redact.key(text, api_key))
  elseif type(value) ~= "table" then
    return json.encode(value)
  end
  return #value > 0 and write_list(value, api_key)
    or write_object(value, api_key)
end

-- The text for the fields of a request. `fields`: as they are sent. `api_key`: which
-- must not be in it.
function _M.text(fields, api_key)
  return utf8.valid(write(fields, api_key))
end

-- How the value of a column is shown; see `starvideos.ledger.schema`.
local show = {}

-- Whole numbers come out of a database as floats.
function show.whole(number)
  number = math.floor(number)
  return math.tointeger and math.tointeger(number) or number
end

function show.money(millionths)
  return millionths / 1e6
end

function show.ids(text)
  local ids = schema.read_ids(text)
  return ids[1] and ids or nil
end

function show.label(text)
  return text ~= "" and text or nil
end

-- A digest is no table.
function show.params(text)
  local params = json.decode(text)
  return type(params) == "table" and params or {}
end

function show.reason(text)
  return redact.urls(tostring(text))
end

-- Of each column that is shown its name, its name in an order, and how.
local names, fields, converts = {}, {}, {}
for index, column in ipairs(schema.columns_where(function(column)
  return column.as
end)) do
  names[index], fields[index] = column.name, column.as
  converts[index] = show[column.show] or false
end

-- A row as its readers get it. Returns order: what `starvideos.ledger.schema` says,
-- each column under its name `as`; and the `prompt` of its `params`.
function _M.order(row)
  local order = {}
  for index = 1, #names do
    local value = row[names[index]]
    if value then
      local convert = converts[index]
      order[fields[index]] = not convert and value or convert(value)
    end
  end
  order.params = order.params or {}
  order.prompt = order.params.prompt
  return order
end

local status_of = {
  accepted = "queued",
  completed = "completed",
  downloaded = "completed",
  failed = "failed",
  cancelled = "cancelled",
}

-- The task of an order as far as the ledger knows it.
function _M.task(row)
  return tasks.new {
    id = row.task_id,
    object = "video",
    created = row.task_created,
    model = row.model,
    status = status_of[row.state],
    error = row.error,
    amount = row.amount,
  }
end

-- What was seen of a task, as it is kept: it has ended, or its order was accepted.
-- Returns why it failed, and what it cost by the provider's own word.
function _M.seen(task)
  local state = tasks.is_terminal(task) and task.status or "accepted"
  local why = state == "expired" and errors.task_failed(task).message
    or type(task.error) == "string" and redact.urls(task.error)
  local amount = type(task.amount) == "number" and c_locale.number("%.14g", task.amount)
    or task.amount
  return task.id, state, why or nil, amount
end

--- A text that a person gave as a name, as it is kept.
_M.name = utf8.valid

-- A path as it reads from wherever the next process runs, less what means nothing in
-- it.
function _M.absolute(path)
  return path and (core.absolute(path) or path)
end

-- The path of the file itself, as far as the disk can tell.
function _M.real(path)
  return core.real(path) or _M.absolute(path)
end

-- What names an order after its file: one text for each file. `path`: of the file
-- itself.
function _M.file_key(path)
  return core.folded(_M.path(path))
end

-- The same, as it is kept.
function _M.path(path)
  return utf8.valid(_M.absolute(path))
end

return _M
