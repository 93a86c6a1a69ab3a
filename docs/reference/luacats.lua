-- The types for editors, as lua-language-server reads them: files that are never
-- required, in lua/starvideos/types.

local classes = require "docs.reference.classes"
local starvideos = require "starvideos"

local _M = {}

local HEAD = "-- Made by `make types`, for editors; nothing requires it.\n"
  .. "-- luacheck: ignore\n"

-- A class has the library's name before it, but stands without it in our sources.
local function full(kind)
  return (kind:gsub('%b""', function(text)
    return "\1" .. text:gsub(".", "%0\2") .. "\1"
  end):gsub("%f[%w_][A-Z][%w_]*", function(name)
    return (classes.by_name[name] or name == "Client") and "starvideos." .. name
      or nil
  end):gsub("[\1\2]", ""))
end

local function comment(text)
  local lines, line = {}, "---"
  for word in text:gmatch "%S+" do
    if #line + #word > 90 and line ~= "---" then
      lines[#lines + 1], line = line, "---"
    end
    line = line .. (line == "---" and "" or " ") .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function with_default(field)
  return field[3] .. (field.default and "; default " .. field.default or "")
end

local function class_text(one)
  local out = { comment(one.meaning) }
  if one.alias then
    out[#out + 1] = ("---@alias starvideos.%s %s"):format(one.name,
      full(one.alias))
    return table.concat(out, "\n")
  end
  local parents = {}
  for index, name in ipairs(one.parents or {}) do
    parents[index] = "starvideos." .. name
  end
  out[#out + 1] = ("---@class starvideos.%s%s"):format(one.name, parents[1]
    and ": " .. table.concat(parents, ", ") or "")
  for _, field in ipairs(one.fields) do
    out[#out + 1] = ("---@field %s %s %s"):format(field[1], full(field[2]),
      with_default(field))
  end
  return table.concat(out, "\n")
end

local function names_of(one)
  local names = {}
  for index, param in ipairs(one.params) do
    names[index] = param.name
  end
  return table.concat(names, ", ")
end

-- A function as `name` is written in Lua, with its docstring.
local function function_text(one, name)
  local out = { comment(one.text) }
  if one.raises then
    out[#out + 1] = comment("Raises " .. one.raises.text .. ".")
  end
  if one.usage then
    out[#out + 1] = "---```lua\n---" .. one.usage:gsub("\n", "\n---") .. "\n---```"
  end
  for _, param in ipairs(one.params) do
    out[#out + 1] = ("---@param %s%s %s %s"):format(param.name,
      param.optional and "?" or "", full(param.type), param.text)
      :gsub("%s+$", "")
  end
  for _, value in ipairs(one.returns) do
    out[#out + 1] = ("---@return %s%s %s %s"):format(value.optional
      and value.type:find "|" and "(" .. full(value.type) .. ")"
      or full(value.type), value.optional and "?" or "", value.name, value.text)
      :gsub("%s+$", "")
  end
  out[#out + 1] = ("function %s(%s) end"):format(name, names_of(one))
  return table.concat(out, "\n")
end

local function public_functions(pages)
  local names = {}
  for _, page in ipairs(pages) do
    for _, name in ipairs(page[4]) do
      names[#names + 1] = name
    end
  end
  return names
end

local function classes_file()
  local parts = { "---@meta _\n" .. HEAD }
  for _, one in ipairs(classes.list) do
    if one.name ~= "Handle" and one.name ~= "Sandbox"
      and not one.name:find "^Event" and not one.name:find "^Sandbox" then
      parts[#parts + 1] = class_text(one)
    end
  end
  return table.concat(parts, "\n\n") .. "\n"
end

local function events_file()
  local parts = { "---@meta _\n" .. HEAD }
  for _, one in ipairs(classes.list) do
    if one.name:find "^Event" then
      parts[#parts + 1] = class_text(one)
    end
  end
  return table.concat(parts, "\n\n") .. "\n"
end

local function methods(parts, functions, names, pattern, owner)
  for _, name in ipairs(names) do
    local method = name:match(pattern)
    if method then
      parts[#parts + 1] = function_text(functions[name], owner .. method)
    end
  end
end

local function client_file(functions, names)
  local parts = { "---@meta _\n" .. HEAD,
    "---A client: one key, one base URL, one way of waiting.\n"
      .. "---@class starvideos.Client\nlocal Client = {}",
    class_text(classes.by_name.Handle) .. "\nlocal Handle = {}" }
  methods(parts, functions, names, "^client:(.+)$", "Client:")
  methods(parts, functions, names, "^handle:(.+)$", "Handle:")
  return table.concat(parts, "\n\n") .. "\n"
end

local function module_file(functions, names)
  local parts = { "---@meta starvideos\n" .. HEAD,
    "---Order AI videos, wait for them, save them. The functions use a client made"
      .. " of the\n---environment; `new` makes further ones.\n"
      .. "---@class starvideos\n---@field _VERSION string the library's version\n"
      .. "local starvideos = {}" }
  for _, name in ipairs(names) do
    local method = name:match "^client:(.+)$" or name:match "^starvideos%.(.+)$"
    if method and starvideos[method] then
      parts[#parts + 1] = function_text(functions[name], "starvideos." .. method)
    end
  end
  parts[#parts + 1] = "return starvideos\n"
  return table.concat(parts, "\n\n")
end

local function sandbox_file(functions, names)
  local parts = { "---@meta starvideos.sandbox\n" .. HEAD }
  for _, name in ipairs { "SandboxOptions", "SandboxRecord" } do
    parts[#parts + 1] = class_text(classes.by_name[name])
  end
  parts[#parts + 1] = class_text(classes.by_name.Sandbox) .. "\nlocal Provider = {}"
  parts[#parts + 1] = "local sandbox = {}"
  methods(parts, functions, names, "^sandbox:(.+)$", "Provider:")
  methods(parts, functions, names, "^sandbox%.(.+)$", "sandbox.")
  parts[#parts + 1] = "return sandbox\n"
  return table.concat(parts, "\n\n")
end

local function loop_file(functions, name)
  return "---@meta starvideos.loop." .. name .. "\n" .. HEAD .. "\n"
    .. function_text(functions["loop." .. name], "local function attach")
    :gsub("function local function", "local function")
    .. "\n\nreturn attach\n"
end

--- All files.
-- @tparam table functions of `docs.reference.docstrings`
-- @tparam table pages of `docs.reference.pages`
-- @treturn table text by name, below lua/starvideos/types
function _M.files(functions, pages)
  local names = public_functions(pages)
  local files = {
    ["starvideos.lua"] = module_file(functions, names),
    ["starvideos/classes.lua"] = classes_file(),
    ["starvideos/events.lua"] = events_file(),
    ["starvideos/client.lua"] = client_file(functions, names),
    ["starvideos/sandbox.lua"] = sandbox_file(functions, names),
  }
  for _, name in ipairs { "luv", "cqueues", "copas" } do
    files["starvideos/loop/" .. name .. ".lua"] = loop_file(functions, name)
  end
  return files
end

return _M
