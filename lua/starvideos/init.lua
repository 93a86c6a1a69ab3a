-- Order AI videos, wait for them, save them.
--
--     local starvideos = require "starvideos"
--     local task  = assert(starvideos.create{ model = "starvideos_o3",
--       prompt = "A city at night from a train", duration = 5 })
--     local video = assert(starvideos.wait(task.id))
--     assert(starvideos.download(video, "city.mp4"))
--
-- The functions use a client made from the environment: STARVIDEOS_API_KEY
-- and, where set, STARVIDEOS_BASE_URL and STARVIDEOS_LEDGER. `new` makes
-- further clients.

-- A signature cannot go on in another line.
-- luacheck: no max comment line length

local c_locale = require "starvideos.base.c_locale"

-- The files that a failed require has looked for, of those a system can load.
local function files_in(problem)
  local files = {}
  for name in problem:gmatch "no file '([^'\n]*core%.%a+)'" do
    files[#files + 1] = not name:find "%.lua$" and name or nil
  end
  return files
end

-- LÖVE's games are often archives, from which no system loads a library.
local function sentence(problem)
  local lua = rawget(_G, "jit") and "luajit" or c_locale.lower(_VERSION):gsub(" ", "")
  local files = files_in(problem)
  local looked = files[1] and "; looked for " .. table.concat(files, ", ") or ""
  local archive = rawget(_G, "love") and "; a library inside a .love file"
    .. " cannot be loaded: put it into one of these places" or ""
  return ("starvideos.core was not found for this Lua (%s%s%s): make LUA=%s"
    .. ' builds it, eval "$(make -s env LUA=%s)" lets it be found'):format(
    problem:match "^[^\n]*", looked, archive, lua, lua)
end

-- Before all else: where it is not found, the error says what to do.
local found, core = pcall(require, "starvideos.core")
if not found then
  error(sentence(tostring(core)), 0)
end

local arguments = require "starvideos.arguments"
local client = require "starvideos.client"
local errors = require "starvideos.errors"

---Order AI videos, wait for them, save them. Each function that is a field here is the
---method of a client of the same name, see there, with a client made of the environment.
---@class starvideos
---@field create fun(params: starvideos.Params, options?: starvideos.CreateOptions): starvideos.Task?, (starvideos.Warning[]|starvideos.Error)?
---@field query fun(task: string|starvideos.Task, options?: starvideos.QueryOptions): starvideos.Task?, starvideos.Error?
---@field wait fun(task: string|starvideos.Task, options?: starvideos.WaitOptions): starvideos.Task?, starvideos.Error?
---@field wait_all fun(list: (string|starvideos.Task)[], options?: starvideos.WaitOptions): starvideos.WaitResult[]
---@field download fun(task: string|starvideos.Task, path: string, options?: starvideos.DownloadOptions): starvideos.File?, starvideos.Error?
---@field generate fun(params: starvideos.Params, options: starvideos.GenerateOptions): starvideos.Task?, (starvideos.File|starvideos.Error)?
---@field validate fun(params: starvideos.Params): boolean?, starvideos.Warning[]|starvideos.Error, starvideos.Price?, string?, string?
---@field models fun(): starvideos.Model[]
---@field validate_all fun(list: starvideos.ListedOrder[]): starvideos.CheckedList?, starvideos.Error?
---@field generate_all fun(list: starvideos.ListedOrder[], options?: starvideos.GenerateAllOptions): starvideos.GenerateResult[]?, starvideos.Error?
---@field enqueue fun(list: starvideos.ListedOrder[], options?: starvideos.EnqueueOptions): starvideos.Order[]?, starvideos.Error?
---@field work fun(options?: starvideos.WorkOptions): starvideos.WorkResult?, starvideos.Error?
---@field pending fun(options?: starvideos.PendingOptions): starvideos.Order[]?, (string|starvideos.Error)?
---@field order fun(order: string|starvideos.Order, options?: starvideos.TakeOptions): starvideos.Order?, starvideos.Error?
---@field orders fun(options?: starvideos.OrdersOptions): starvideos.Order[]?, (string|starvideos.Error)?
---@field resume fun(options?: starvideos.ResumeOptions): starvideos.ResumeResult?, starvideos.Error?
---@field adopt fun(order: string|starvideos.Order, task: string|starvideos.Task, options?: starvideos.TakeOptions): starvideos.Order?, starvideos.Error?
---@field dismiss fun(order: string|starvideos.Order, options?: starvideos.DismissOptions): starvideos.Order?, starvideos.Error?
---@field label fun(order: string|starvideos.Order, account?: string, options?: starvideos.TakeOptions): starvideos.Order?, starvideos.Error?
---@field limits fun(options?: starvideos.LimitsOptions): starvideos.Limit[]?, starvideos.Error?
---@field status fun(): starvideos.Status?, starvideos.Error?
---@field archive fun(options?: starvideos.ArchiveOptions): integer?, starvideos.Error?
---@field backup fun(path: string): starvideos.Backup?, starvideos.Error?
local _M = {}

--- The version of this library.
_M._VERSION = require "starvideos.base.version"

---Make a client of your own; see `starvideos.client`.
_M.new = client.new

---Read a list of orders from a file of JSON lines, for `enqueue` and `generate_all`;
---see `starvideos.fleet.manifest`.
---@param path string
---@return starvideos.ListedOrder[]? list
---@return starvideos.Error? err of kind io or validation
function _M.manifest(path)
  return require("starvideos.fleet.manifest").load(path)
end

local function environment(name)
  local value = core.getenv(name)
  return value ~= "" and value or nil
end

-- The default client, and of which environment it was made: another one when
-- that has changed.
local default, made_for

local function default_client()
  local options = {
    api_key = core.getenv "STARVIDEOS_API_KEY",
    base_url = environment "STARVIDEOS_BASE_URL",
    ledger = environment "STARVIDEOS_LEDGER",
  }
  local wanted = ("%s\n%s\n%s"):format(tostring(options.api_key),
    tostring(options.base_url), tostring(options.ledger))
  if not default or made_for ~= wanted then
    local made, err = client.new(options)
    if not made then
      return nil, err
    end
    default, made_for = made, wanted
  end
  return default
end

local function no_ledger(name)
  return errors.new {
    kind = "config",
    message = name .. " needs a ledger: set STARVIDEOS_LEDGER or make a client"
      .. " with the option ledger",
  }
end

-- Every method that has a row, and those two that only look something up.
local methods = { validate = {}, models = {} }
for name, row in pairs(arguments.rows) do
  methods[name] = row
end

for name, row in pairs(methods) do
  _M[name] = function(...)
    local self, err = default_client()
    if self and row.ledger and not environment "STARVIDEOS_LEDGER" then
      self, err = nil, no_ledger(name)
    end
    if not self then
      return nil, err
    end
    return self[name](self, ...)
  end
end

---Like `assert`, for hosts that print only text: raises the sentence of an error as a
---string. The stand-alone Lua 5.1 and nginx need it.
---
---Raises tostring(err) where value is false or nil.
---@param value any
---@param err? any
---@param ... any further values
---@return any value and whatever follows it
function _M.assert(value, err, ...)
  if not value then
    error(tostring(err), 0)
  end
  return value, err, ...
end

return _M
