--- Events that the ledger's thread keeps until the client they are for has them:
-- the answer with which they went may have been lost, and what is written from the
-- backlog is nobody's answer. They are numbered, so that each is told once.
-- @classmod starvideos.ledger.untold

local _M = {}

local Untold = {}
Untold.__index = Untold

--- Note what a caller has got already.
-- @tparam table caller of a message that has just come: `listener` (the number of
--   its client), `heard` (of the last event that it has got)
function Untold:confirm(caller)
  local entry = self[caller.listener]
  if not caller.listener then
    return
  elseif not entry then
    self[caller.listener] = { first = caller.heard + 1, list = {} }
    return
  end
  local rest = {}
  for index = caller.heard - entry.first + 2, #entry.list do
    rest[#rest + 1] = entry.list[index]
  end
  entry.first, entry.list = caller.heard + 1, rest
end

--- Add events for a client.
-- @tparam table caller of this message, or of an earlier one
-- @tparam ?table list
function Untold:add(caller, list)
  local entry = self[caller.listener]
  for _, event in ipairs(list or {}) do
    entry.list[#entry.list + 1] = event
  end
end

--- All that the client of a caller has not confirmed.
-- @tparam table caller
-- @treturn ?table `first` (the number of the first event), `list`; nil for none
function Untold:of(caller)
  local entry = self[caller.listener]
  return entry and entry.list[1] and entry or nil
end

--- Make one.
-- @treturn table untold
function _M.new()
  return setmetatable({}, Untold)
end

return _M
