--- Whole files.
-- @module starvideos.nginx.file

local _M = {}

--- Is there a file that can be read?
-- @tparam string path
-- @treturn boolean
function _M.exists(path)
  local file = io.open(path, "rb")
  return file ~= nil and file:close() and true
end

--- The content of a file.
-- @tparam string path
-- @treturn string empty where there is no such file
function _M.read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a" or ""
  if file then
    file:close()
  end
  return text
end

--- The content of a file of the library that lies beside the one that asks.
-- @tparam string name
-- @treturn string
function _M.beside(name)
  local source = debug.getinfo(2, "S").source:gsub("^@", "")
  local file = assert(io.open(source:gsub("[^/\\]*$", "") .. name, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- Write a file, or replace it.
-- @tparam string path
-- @tparam string text
-- @treturn ?boolean true, or nil
-- @treturn ?string what is wrong
function _M.write(path, text)
  local file, why = io.open(path, "wb")
  if not file then
    return nil, why
  end
  local written, trouble = file:write(text)
  local closed, late = file:close()
  if written and closed then
    return true
  end
  return nil, trouble or late
end

return _M
