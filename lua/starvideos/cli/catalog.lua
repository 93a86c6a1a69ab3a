--- Words of options that a person chooses from, from the tables that know them:
-- asked for where they are shown or completed, not at each start.
-- @module starvideos.cli.catalog

local core = require "starvideos.core"
local states = require "starvideos.ledger.states"

local _M = {}

-- What the models have of a field, each once.
local function words_of(get)
  local list, known = {}, {}
  for _, row in ipairs(core.catalog({}):models()) do
    for _, word in ipairs(get(row) or {}) do
      if not known[word] then
        known[word] = true
        list[#list + 1] = word
      end
    end
  end
  return list
end

--- Names of the models.
-- @treturn table a list
function _M.models()
  return words_of(function(row) return { row.name } end)
end

--- Values of a field whose values are words, of any model.
-- @tparam string name
-- @treturn function that returns a list
function _M.values(name)
  return function()
    return words_of(function(row) return row[name] and row[name].values end)
  end
end

--- The states of an order.
-- @treturn table a list
function _M.states()
  return states.names
end

--- The faults of the sandbox.
-- @treturn table a list
function _M.scenarios()
  local list = {}
  for index, row in ipairs(require("starvideos.sandbox.scenario").list()) do
    list[index] = row.name
  end
  return list
end

return _M
