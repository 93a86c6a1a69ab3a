--- Whether the running coroutine can wait here. Lua lets none wait inside some
-- of its own functions: string.gsub, table.sort, require, in 5.1 also pcall.
-- That is asked before an order is sent, or its answer would be lost.
-- @module starvideos.host.yieldable

local _M = {}

-- Functions written in C through which a coroutine can wait all the same.
local is_puc_51 = _VERSION == "Lua 5.1" and rawget(_G, "jit") == nil
local passable = is_puc_51 and {} or { [pcall] = true, [xpcall] = true }

-- For Lua 5.2 and older, and nginx, which takes the function away. Where the host
-- has no `debug` that cannot be told, but for what a try shows.
local function is_above_lua_alone()
  local level = 2
  local info = debug and debug.getinfo(level, "Sf")
  while info do
    if info.what == "C" and not passable[info.func] then
      return false
    end
    level = level + 1
    info = debug.getinfo(level, "Sf")
  end
  return true
end

local isyieldable = coroutine.isyieldable -- luacheck: ignore 143

--- Whether the running coroutine can wait.
-- @treturn boolean
_M.now = isyieldable or is_above_lua_alone

--- Whether that is all there is to know: in PUC Lua 5.1 nothing tells that a
-- metamethod is running, in which none can wait either, and without `debug` nothing
-- tells of C.
_M.is_certain = not is_puc_51 and (isyieldable ~= nil or debug ~= nil)

--- Make sure that it can.
-- @tparam string call that is about to wait, for the message
-- @tparam number level where a misuse is reported, as in `error`
-- @raise where it cannot
function _M.check(call, level)
  if not _M.now() then
    error(call .. " cannot wait here, and nothing was sent: Lua lets no"
      .. " coroutine wait inside a function written in C, such as string.gsub,"
      .. " table.sort or require, nor, in Lua 5.1, inside pcall or a listener;"
      .. " call it outside of that function", level + 1)
  end
end

return _M
