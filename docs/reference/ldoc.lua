-- What `make docs` gives LDoc: one file of docstrings for each page of the reference,
-- and the pages of docs with links that lead to what LDoc makes of them.
--
--   lua docs/reference/ldoc.lua FOLDER

local classes = require "docs.reference.classes"
local docstrings = require "docs.reference.docstrings"
local pages = require "docs.reference.pages"

local folder = arg[1]

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function lines_of(command)
  local lines, stream = {}, assert(io.popen(command))
  for line in stream:lines() do
    lines[#lines + 1] = line
  end
  assert(stream:close(), command)
  return lines
end

-- The page that a class stands on.
local page_of = {}
for _, page in ipairs(pages) do
  for _, name in ipairs(page[5]) do
    local pattern = "^" .. name:gsub("%*", ".*") .. "$"
    for _, one in ipairs(classes.list) do
      if one.name:find(pattern) then
        page_of[one.name] = page[1]
      end
    end
  end
end
page_of.Client = "client"

-- LDoc's words for a type; what they cannot say is added to the text.
local function plain_type(kind)
  if kind:find "^fun%(" or kind == "function" then
    return "function"
  elseif kind:find '^"' or kind:find "|\"" then
    return kind:find "string" and "string" or "string"
  elseif kind:find "^%d+|" then
    return "integer"
  elseif kind:find "^table<" or kind:find "^%(" then
    return "table"
  end
  return (kind:gsub("%f[%w_][A-Z][%w_]*", function(name)
    return page_of[name] and name ~= "Client" and page_of[name]:gsub("%-", "_")
      .. "." .. name or nil
  end):gsub("%[%]", "..."):gsub("fun%b()[^|]*", "function"))
end

-- What the type alone does not show: a signature, or the values there are.
local function type_text(kind)
  if kind:find "^%d+|" then
    return ""
  elseif kind:find '"' then
    local words = {}
    for word in kind:gmatch '"([^"]*)"' do
      words[#words + 1] = "`" .. word .. "`"
    end
    return #words > 1 and "; one of " .. table.concat(words, ", ")
      or "; " .. words[1]
  elseif kind:find "^fun%(." or kind:find "^%(" or kind:find "^table<" then
    return "; `" .. kind .. "`"
  end
  return ""
end

local function field_text(field)
  return field[3] .. type_text(field[2])
    .. (field.default and "; default " .. field.default or "")
end

-- A text that begins with a star or dash would be a list.
local function docstring(lines)
  return "--- " .. table.concat(lines, "\n"):gsub("\n", "\n-- ") .. "\n"
end

local function class_text(one)
  local lines = { one.meaning }
  if one.alias then
    local values = {}
    for value in one.alias:gmatch "[^|]+" do
      local page = page_of[value]
      values[#values + 1] = page and ("@{%s.%s}"):format(page:gsub("%-", "_"),
        value) or "`" .. value:gsub('"', "") .. "`"
    end
    if one.alias:find "^fun" then
      values = { "`" .. one.alias .. "`" }
    end
    lines[1] = lines[1]:gsub("%.$", "") .. ": " .. table.concat(values, ", ") .. "."
  end
  for _, name in ipairs(one.parents or {}) do
    lines[1] = lines[1] .. (" Also those of @{%s.%s}."):format(
      page_of[name]:gsub("%-", "_"), name)
  end
  lines[#lines + 1] = "@table " .. one.name
  for _, field in ipairs(one.fields or {}) do
    local name = field[1]:gsub("%?$", ""):gsub("^%[string%]$", "…")
    lines[#lines + 1] = ("@tfield%s %s %s %s"):format(field[1]:find "%?$"
      and "[opt]" or "", plain_type(field[2]), name, field_text(field))
  end
  return docstring(lines)
end

-- In the module's function nothing stands before the dot that tells one client.
local function function_text(one)
  local lines = { one.text }
  for _, param in ipairs(one.params) do
    lines[#lines + 1] = ("@tparam%s %s %s %s%s"):format(param.optional
      and "[opt]" or "", plain_type(param.type), param.name, param.text,
      type_text(param.type))
  end
  for _, value in ipairs(one.returns) do
    lines[#lines + 1] = ("@treturn %s%s %s"):format(value.optional and "?|" or "",
      plain_type(value.type), "**" .. value.name .. "** " .. value.text)
  end
  if one.raises then
    lines[#lines + 1] = "@raise " .. one.raises.text
  end
  if one.usage then
    lines[#lines + 1] = "@usage\n" .. one.usage
  end
  lines[#lines + 1] = "@function " .. one.name
  return docstring(lines)
end

local function has(list, name)
  for _, pattern in ipairs(list) do
    if name:find("^" .. pattern:gsub("%*", ".*") .. "$") then
      return true
    end
  end
end

-- An empty table in front of the classes gives LDoc nothing to read but docstrings.
local function page_text(page, functions)
  local parts = { docstring { page[2] .. ".", page[3], "@module "
    .. page[1]:gsub("%-", "_") } }
  for _, name in ipairs(page[4]) do
    parts[#parts + 1] = function_text(functions[name])
  end
  for _, one in ipairs(classes.list) do
    if has(page[5], one.name) then
      parts[#parts + 1] = class_text(one)
    end
  end
  return table.concat(parts, "\n")
end

local GITHUB_LIKE = "[^%w%s_%-\128-\255]"

--- The anchor of a heading, as Markdown's hosts make it.
local function anchor(heading)
  return (heading:lower():gsub(GITHUB_LIKE, ""):gsub("%s", "-"))
end

-- LDoc has other anchors: ours are put before each heading. Links lead from one page
-- to the other; what is no page (a folder, a picture) is named without a link.
local function topic_text(text, known)
  local fenced = false
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do
    if line:find "^```" then
      fenced = not fenced
      -- Other languages than Lua are shown as they are.
      lines[#lines + 1] = line:find "^```%w" and not line:find "^```lua"
        and "```" or line
    elseif fenced then
      lines[#lines + 1] = line
    else
      local heading = line:match "^#+ (.*)"
      if heading then
        lines[#lines + 1] = ('<a name="%s"></a>\n'):format(anchor(heading))
      end
      -- LDoc shows headings in its contents, as they are written.
      line = heading and line:gsub("`", "") or line
      lines[#lines + 1] = line:gsub("%[([^%]]*)%]%(([^%)%s]+)%)",
        function(label, target)
          local name, rest = target:match "^([%w_%-%./]*)%.md(#?.*)$"
          name = name and name:match "[^/]*$"
          if name and known[name .. ".md"] then
            return ("[%s](%s.md.html%s)"):format(label, name, rest)
          elseif target:find "^#" or target:find "^https?:" then
            return nil
          end
          return label
        end)
    end
  end
  return table.concat(lines, "\n")
end

local functions = docstrings.read()
local order = {}
for index, page in ipairs(pages) do
  local name = ("%02d-%s.lua"):format(index, page[1])
  write(name, page_text(page, functions))
  order[index] = ("  %q,\n"):format(name)
end

local known, topics = {}, {}
for _, path in ipairs(lines_of "ls README.md docs/*.md") do
  known[path:match "[^/]*$"] = path
  topics[#topics + 1] = ("  %q,\n"):format(path:match "[^/]*$")
end
for name, path in pairs(known) do
  write(name, topic_text(read(path), known))
end

write("config.ld", ([[
project = "starvideos"
title = "starvideos"
description = "Order AI videos from Lua, wait for them, save them"
format = "discount"
no_space_before_args = true
sort_modules = false
backtick_references = false
kind_names = { module = "Reference", topic = "Guides" }
topics = {
%s}
file = {
%s}
]]):format(table.concat(topics), table.concat(order)))
