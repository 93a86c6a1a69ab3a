-- The docstrings of public functions, read from the code: what goes in and comes out,
-- with types as editors write them. A type with a capital is a class of
-- docs/reference/classes.lua.

local _M = {}

local SOURCES = { "init", "client", "client_fleet", "host/handle", "sandbox/init",
  "loop/luv", "loop/cqueues", "loop/copas" }

-- What the owner of a function is called in the reference, by its name in a file.
local OWNERS = {
  ["init"] = { _M = "starvideos." },
  ["client"] = { Client = "client:", _M = "starvideos.",
    starvideos = "starvideos." },
  ["client_fleet"] = { Client = "client:" },
  ["host/handle"] = { Handle = "handle:" },
  ["sandbox/init"] = { Provider = "sandbox:", _M = "sandbox." },
  ["loop/luv"] = { ["starvideos.loop"] = "loop." },
  ["loop/cqueues"] = { ["starvideos.loop"] = "loop." },
  ["loop/copas"] = { ["starvideos.loop"] = "loop." },
}

local function append(text, line)
  return text == "" and line or text .. " " .. line
end

local function parameter(rest, typed)
  local optional = rest:find "^%[opt" ~= nil
  rest = rest:gsub("^%b[]", ""):gsub("^%s+", "")
  local kind = typed and rest:match "^(%S+)" or "any"
  local name, text = (typed and rest:sub(#kind + 2) or rest):match "^(%S+)%s*(.*)$"
  return { type = kind, name = name, text = text, optional = optional }
end

-- A tag and what stands behind it on its line, added to the function.
local function tag(one, name, rest)
  if name == "tparam" or name == "param" then
    local made = parameter(rest, name == "tparam")
    table.insert(one.params, made)
    return made
  elseif name == "treturn" then
    local kind, label, text = rest:match "^(%S+)%s*(%S*)%s*(.*)$"
    local made = { type = kind:gsub("^%?", ""), optional = kind:find "^%?" ~= nil,
      name = label, text = text }
    table.insert(one.returns, made)
    return made
  elseif name == "raise" then
    one.raises = { text = rest }
    return one.raises
  end
  return {}
end

local function read_block(lines)
  local one = { text = "", params = {}, returns = {} }
  local place
  for index, line in ipairs(lines) do
    local name, rest = line:match "^%-%- @(%w+)(.*)$"
    local plain = line:gsub("^%-%-%-? ?", "")
    if name == "usage" then
      one.usage, place = {}, nil
      table.insert(one.usage, rest:match "^%s+(.+)$")
    elseif name == "function" then
      one.title = rest:match "%S+"
    elseif name then
      place = tag(one, name, name == "tparam" and rest:gsub("^(%b[])%s", "%1 ")
        :gsub("^%s", "") or rest:gsub("^%s+", ""))
    elseif place then
      place.text = append(place.text or "", plain:gsub("^%s+", ""))
    elseif one.usage then
      table.insert(one.usage, plain)
    elseif index == 1 or plain ~= "" then
      one.text = append(one.text, plain)
    end
  end
  one.usage = one.usage and table.concat(one.usage, "\n")
  return one
end

local function keep(found, source, one, code)
  local title = one.title or code and code:match "^function ([%w_.:]+)"
  local owner, name = (title or ""):match "^(.-)[.:]?([%w_]+)$"
  if title == "new" then
    owner = "_M"
  elseif title and title:find "^starvideos%.loop" then
    owner = "starvideos.loop"
  end
  local prefix = OWNERS[source][owner]
  if prefix and not found[prefix .. name] then
    one.name = prefix .. name
    found[one.name] = one
  end
end

local function read_file(found, source)
  local block
  for line in io.lines("lua/starvideos/" .. source .. ".lua") do
    if line:find "^%-%-%- " then
      block = { line }
    elseif block and line:find "^%-%-" then
      block[#block + 1] = line
    elseif block then
      keep(found, source, read_block(block), line)
      block = nil
    end
  end
end

--- All of them.
-- @treturn table functions by their name in the reference, such as
--   `client:create`, each with `name`, `text`, `params`, `returns`, `raises`,
--   `usage`
function _M.read()
  local found = {}
  for _, source in ipairs(SOURCES) do
    read_file(found, source)
  end
  return found
end

return _M
