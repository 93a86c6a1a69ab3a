-- A list of orders, checked and priced as a whole before the first of them is placed.

local core = require "starvideos.core"
local bodies = require "starvideos.provider.body"
local errors = require "starvideos.errors"
local options = require "starvideos.options"
local paths = require "starvideos.base.path"
local saving = require "starvideos.fleet.saving"
local targets = require "starvideos.order.target"
local utf8 = require "starvideos.base.utf8"
local validate = require "starvideos.order.validate"

local _M = {}

_M.policy = {
  faults = 10, -- named in the message of an err; `violations` has them all
  slice = 10, -- orders checked between two turns of a host that has other work
}

-- Fields of an order that are not the API's.
local own = { path = true, key = true, take = true, label = true }

-- Bytes of a key, so that an index of every database takes it.
local KEY_BYTES = 1024

-- Takes are 32 bits in a database.
local MOST_TAKES = 2 ^ 31 - 1

local function note(self, entry, field, code, message)
  local found = self.violations
  found[#found + 1] = { index = entry.index, line = entry.line, field = field,
    code = code, message = message }
end

local function params_of(order)
  local params = {}
  for name, value in pairs(order) do
    if not own[name] then
      params[name] = value
    end
  end
  return params
end

-- A name that people read.
local function read_name(self, entry, field, value)
  local ok, wanted = options.accepted.create[field](value)
  local code, problem
  if not ok then
    code, problem = "type", "must be " .. wanted
  elseif not utf8.is_valid(value) then
    code, problem = "encoding", "is not valid UTF-8"
  elseif #value > KEY_BYTES then
    code, problem = "too_long", ("has %d bytes, and %d is the most"):format(
      #value, KEY_BYTES)
  end
  if code then
    return note(self, entry, field, code, field .. " " .. problem)
  end
  return value
end

local function read_take(self, entry, take)
  if take == nil then
    return 1
  elseif not options.accepted.create.take(take) or take > MOST_TAKES then
    note(self, entry, "take", "type", ("take must be a whole number from 1 to"
      .. " %.0f"):format(MOST_TAKES))
    return 1
  elseif not self.context.ledger then
    note(self, entry, "take", "not_supported", "take needs a ledger: pass ledger"
      .. " to starvideos.new")
  end
  return take
end

local function read_path(self, entry, given)
  local path, code, problem = targets.normal(given)
  if path and self.is_manifest and paths.is_absolute(path) then
    path, code, problem = nil, "bad_path", "is absolute: a manifest has paths"
      .. " below its output folder"
  end
  if not path then
    note(self, entry, "path", code, "path " .. problem)
  end
  return path
end

-- Which file each path means, as far as its folder is known; some side by side, because a
-- job on the disk may take a frame of the host.
local function find_files(self, list)
  local runtime, directory = self.context.runtime, self.options.directory
  if directory then
    self.folder = runtime:disk("real", directory)
  end
  saving.each(runtime, list, function(order)
    local path = type(order) == "table" and targets.normal(order.path)
    local is_whole = path and paths.is_absolute(path)
    if path and (is_whole or directory) then
      self.files[order] = { targets.find(runtime, is_whole and path
        or directory .. "/" .. path) }
    end
  end)
end

-- Sets the `file` of an entry, which two paths of one file share.
local function read_file(self, entry)
  local found = self.files[entry.order] or {}
  local file, err = found[1], not found[1] and found[2]
  if not entry.path then
    return
  elseif file and paths.is_absolute(entry.path) then
    entry.given, entry.path = entry.path, file
  elseif err and err.kind ~= "cancelled" then
    note(self, entry, "path", "bad_path", "path: " .. err.message)
  end
  entry.file = core.folded(file or self.folder
    and self.folder .. "/" .. entry.path or entry.path)
end

-- An order without a key is named by its path, as the file system spells it; it may be
-- recorded under the path that was given.
local function name_by_path(entry)
  entry.key = entry.path and core.folded(entry.path)
  local given = entry.given or entry.path
  entry.other_key = given ~= entry.key and given or nil
end

local function read_names(self, entry, order)
  if order.path ~= nil then
    entry.path = read_path(self, entry, order.path)
    read_file(self, entry)
  end
  if order.key ~= nil then
    entry.key = read_name(self, entry, "key", order.key)
  elseif order.path == nil then
    note(self, entry, "path", "required", "the order has neither path nor key:"
      .. " one of them must name it")
  else
    name_by_path(entry)
  end
  entry.take = read_take(self, entry, order.take)
  entry.label = self.options.label
  if order.label ~= nil then
    entry.label = read_name(self, entry, "label", order.label)
  end
  if self.options.names_files and not entry.path and entry.key
    and order.path == nil then
    entry.path = targets.of_key(entry.key, entry.take)
    read_file(self, entry)
  end
end

local function place_of(entry)
  return entry.line and "line " .. entry.line or "order " .. entry.index
end

-- Two orders of one name would be one order, and two of one path one file.
local function note_twins(self, entry)
  local name = entry.key and entry.key .. "\0" .. entry.take
  local twin = entry.file and self.by_file[entry.file]
  if twin then
    note(self, entry, "path", "conflict", ("%s has the path %s, %s"):format(
      place_of(twin), twin.path, twin.path == entry.path and "too"
      or "which is the same file as " .. entry.path))
  elseif name and self.by_name[name] then
    note(self, entry, "key", "conflict", ("%s has the key %s, too, and the same"
      .. " take"):format(place_of(self.by_name[name]), entry.key))
  end
  if entry.file then
    self.by_file[entry.file] = twin or entry
  end
  if name then
    self.by_name[name] = self.by_name[name] or entry
  end
end

-- The file of one order cannot be the folder of another.
local function note_folders(self)
  local free = {}
  for _, entry in ipairs(self.entries) do
    local path = entry.file or ""
    local inmost = path:match "^(.*)/" or ""
    local is_free = true
    for folder in targets.folders(free[inmost] and "" or path) do
      local other = self.by_file[folder]
      if other then
        note(self, entry, "path", "conflict", ("path lies in %s, which is the"
          .. " file of %s"):format(folder, place_of(other)))
        is_free = false
      end
    end
    free[inmost] = is_free
  end
end

local function row_of(self, model)
  if type(model) ~= "string" then
    return nil
  elseif self.rows[model] == nil then
    self.rows[model] = self.context.catalog:model(model) or false
  end
  return self.rows[model] or nil
end

local function add_all(entry, list, found)
  for _, one in ipairs(found or {}) do
    one.index, one.line = entry.index, entry.line
    list[#list + 1] = one
  end
end

-- The request of an order; nil if it has faults.
local function read_params(self, entry, row)
  local context = self.context
  local warnings, err = validate.before_sending(context, entry.params,
    context.validation)
  add_all(entry, self.warnings, warnings)
  local request
  if not err then
    request, err = bodies.build(entry.params, row, warnings)
  end
  if err and not err.violations then
    note(self, entry, nil, "malformed", err.message)
  elseif err then
    add_all(entry, self.violations, err.violations)
  end
  return request
end

local function price(self, entry, row)
  if not self.context.prices then
    return
  end
  entry.price, entry.unpriced = validate.price(self.context, entry.params, row)
  if entry.price then
    self.millionths = self.millionths + entry.price.millionths
  else
    self.unpriced = self.unpriced + 1
  end
end

local function read_entry(self, index, order)
  local entry = { index = index, line = self.lines and self.lines[index],
    order = order }
  if type(order) ~= "table" then
    return note(self, entry, nil, "type", "an order must be a table, not a "
      .. type(order))
  end
  self.entries[#self.entries + 1] = entry
  entry.params = params_of(order)
  entry.mode = bodies.mode(entry.params)
  read_names(self, entry, order)
  note_twins(self, entry)
  local row = row_of(self, entry.params.model)
  local request = read_params(self, entry, row)
  if request then
    price(self, entry, row)
  end
  if self.options.drops_orders then
    entry.order, entry.params = nil, nil -- of many orders they are most of the memory
  elseif request and not self.violations[1] and self.finish then
    self.finish(entry, request)
  end
end

-- In the order of the lines, or of the list.
local function sorted(list)
  for index, one in ipairs(list) do
    one.place, one.turn = one.line or one.index or 0, index
  end
  table.sort(list, function(one, other)
    if one.place ~= other.place then
      return one.place < other.place
    end
    return one.turn < other.turn
  end)
  for _, one in ipairs(list) do
    one.place, one.turn = nil, nil
  end
  return list
end

-- The error of a list with violations; `ending` is the last part of its message.
function _M.refused(violations, ending)
  local messages, most = {}, _M.policy.faults
  for index, one in ipairs(violations) do
    if index <= most then
      messages[index] = place_of(one) .. ": " .. one.message
    end
  end
  if #violations > most then
    messages[most + 1] = ("and %d further faults"):format(#violations - most)
  end
  messages[#messages + 1] = ending
  return errors.new { kind = "validation",
    message = table.concat(messages, "; "), violations = violations }
end

local function stopped(why)
  return errors.new { kind = "cancelled", message = "stopped while the list was"
    .. " checked; nothing was ordered", interrupted = why == "interrupted" }
end

-- Checks the orders of a manifest while it is read.
local function read_manifest(self, manifest)
  local index = 0
  local read, err = manifest.each(function(order, line)
    index = index + 1
    self.lines[index] = line
    read_entry(self, index, order)
  end)
  for _, one in ipairs(read and read.violations or {}) do
    table.insert(self.violations, one)
  end
  note_folders(self)
  return read and true, err
end

local function read_all(self, list)
  local context, slice = self.context, _M.policy.slice
  if list.each then
    return read_manifest(self, list)
  end
  for index = 1, #list do
    read_entry(self, index, list[index])
    if not context.blocks and index % slice == 0 then
      local ok, why = context.runtime:sleep(0)
      if not ok then
        return nil, stopped(why)
      end
    end
  end
  note_folders(self)
  return true
end

-- Check a list of orders, or a manifest, or of a runtime that blocks a table with no `lines`
-- yet and `each`: calls a function with each order and its line, and returns what
-- `manifest.read` does; none of these orders is held. `opts`: `label` (of orders that have
-- none), `directory` (of the files, if it is known), `names_files` (true: orders without a
-- path get one that follows from their key), `drops_orders` (true: the entries do without
-- `order` and `params`). `finish` is called with each entry and its request as long as there
-- is no fault.
--
-- Returns `entries`, each with `index`, `line` (of a manifest), `order`, `params`, `path`
-- (and how an absolute one was `given`), `key`, `take`, `label`, `mode`, and `price` or
-- `unpriced` (why it has none) if the client has prices; `warnings` with `index` and `line`;
-- `price` of all, and `unpriced` (how many have none). Or an err of kind validation, whose
-- `violations` have `index`, `line`, `field`, `code`, `message`.
function _M.check(context, list, opts, finish)
  local self = { context = context, options = opts, finish = finish,
    lines = list.lines, is_manifest = list.lines ~= nil,
    entries = {}, violations = {}, warnings = {}, rows = {},
    files = {}, by_file = {}, by_name = {}, millionths = 0.0, unpriced = 0 }
  for index, one in ipairs(list.violations or {}) do
    self.violations[index] = one
  end
  find_files(self, list)
  local ok, err = read_all(self, list)
  if not ok then
    return nil, err
  elseif self.violations[1] then
    return nil, _M.refused(sorted(self.violations), "nothing was ordered")
  end
  local prices = context.prices
  return { entries = self.entries, warnings = self.warnings,
    price = prices and prices:money(self.millionths),
    unpriced = prices and self.unpriced }
end

return _M
