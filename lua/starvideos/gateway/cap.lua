--- What each caller may spend, as the file of callers says, made a limit of the
-- ledger: that counts what was sent, and holds for all who use it.
-- @module starvideos.gateway.cap

local _M = {}

local MILLION = 1000000

-- The callers whose caps this process has seen in the ledger.
local held = setmetatable({}, { __mode = "k" })

-- The cap in the ledger in millionths; nil where there is none.
local function cap_there(list, name, per)
  for _, limit in ipairs(list) do
    if limit.kind == "spend" and limit.account == name and limit.per == per then
      return math.floor(limit.cap * MILLION + 0.5)
    end
  end
end

-- The calls of `client:limits` by which the ledger gets the caps of a caller.
local function changes_of(caller, list)
  local changes = {}
  for _, per in ipairs { "day", "total" } do
    local cap = caller.limits.per == per and caller.limits.spend or nil
    if cap ~= cap_there(list, caller.name, per) then
      -- What is set comes before what is removed.
      table.insert(changes, cap and 1 or #changes + 1, { account = caller.name,
        per = per, spend = cap and cap / MILLION or false })
    end
  end
  return changes
end

--- See that the ledger has the caps of a caller. Once it has them, it is not
-- asked again before the file is read again.
-- @tparam table app
-- @tparam table caller
-- @treturn ?boolean true
-- @treturn ?table err of the ledger
function _M.hold(app, caller)
  if held[caller] or not app.callers then
    return true
  end
  local client = app.client(caller.name)
  local list, err = client:limits()
  if not list then
    return nil, err
  end
  for _, change in ipairs(changes_of(caller, list)) do
    list, err = client:limits(change)
    if not list then
      return nil, err
    end
  end
  held[caller] = true
  return true
end

return _M
