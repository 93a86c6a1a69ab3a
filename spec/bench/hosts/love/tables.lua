-- What this machine makes of any Lua at all that runs once a frame, after a
-- sleep: a hundred small tables, which take five microseconds where nothing has
-- driven them out of the processor's caches.

local TABLES = 100

local _M = {}

function _M.begin() end

function _M.each_second() end

function _M.update()
  local list = {}
  for index = 1, TABLES do
    list[index] = { index }
  end
  return list
end

function _M.finish() end

return _M
