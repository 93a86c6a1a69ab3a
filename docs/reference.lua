-- The reference as Markdown: the public functions and classes as their LuaCATS in the
-- sources describes them, the limits of the models, and the guides beside them.
--
--   lua docs/reference.lua FOLDER

local core = require "starvideos.core"
local starvideos = require "starvideos"

local _M = {}

local SOURCES = { "client", "client_fleet", "init", "options", "events", "errors",
  "context", "base/task", "host/handle", "sandbox/init", "sandbox/nginx/init", "loop/luv",
  "loop/cqueues", "loop/copas" }

-- What the owner of a function is called, by its name in a file.
local OWNERS = { ["Client:"] = "client:", ["Handle:"] = "handle:",
  ["Provider:"] = "sandbox:", ["Server:"] = "server:" }
local MODULES = { ["sandbox/init"] = "sandbox.",
  ["sandbox/nginx/init"] = "sandbox.nginx.", ["loop/luv"] = "loop.luv",
  ["loop/cqueues"] = "loop.cqueues", ["loop/copas"] = "loop.copas" }

--- The pages: name, title, what it is about, its functions, and classes that no
-- function names. Any other class stands where a function first names it. A function
-- that stands on no page is not public.
-- @table pages
_M.pages = {
  { "client", "Clients", "One key, one base URL, one way of waiting. Most methods are"
    .. " also functions of the module, with a client made of the environment.",
    "starvideos.new client:close starvideos.assert", "Client" },
  { "ordering", "Ordering", "What an order says, and how it is checked and sent.",
    "client:create client:validate", "Params ReferenceImage ReferenceVideo ReferenceAudio"
      .. " ReferenceFacts Task TaskStatus Warning Prices ModelPrice Price" },
  { "models", "Models", "The models that this version knows, and their limits.",
    "client:models",
    "ModelName Model PromptLimits DurationLimits ChoiceLimits FrameLimits MediaLimits" },
  { "waiting", "Waiting", "A video takes minutes.",
    "client:query client:wait client:wait_all client:sleep" },
  { "downloading", "Downloading", "A download URL expires: save a video at once.",
    "client:download client:generate" },
  { "ledger", "The ledger", "What was ordered, on the disk: no video that you bought is"
    .. " lost, and none is bought twice.",
    "client:pending client:order client:orders client:resume client:adopt"
    .. " client:dismiss client:label client:archive client:backup client:status" },
  { "many-videos", "Many videos", "Lists of orders, a queue in the ledger, workers that"
    .. " send it, and limits for all of them.",
    "client:validate_all client:generate_all client:enqueue client:work"
    .. " client:limits starvideos.manifest" },
  { "events", "Events", "What `on_event` is told.", "", "Event EventName" },
  { "errors", "Errors", "What the world does to a call returns nil and an error; a"
    .. " wrong type of an argument raises.", "", "Error ErrorKind Violation" },
  { "loops", "Runtimes and loops", "How a game, an event loop or nginx goes on while a"
    .. " video is made.", "client:async client:update client:run client:cancel"
    .. " client:busy client:pollfd client:events client:timeout handle:cancel"
    .. " handle:on_done loop.luv loop.cqueues loop.copas" },
  { "sandbox", "The sandbox", "A stand-in for the provider, to develop against without"
    .. " a key or costs: `require \"starvideos.sandbox\"`.",
    "sandbox.new sandbox.scenarios sandbox:scenario sandbox:tasks sandbox:limit"
    .. " sandbox:record sandbox:reset sandbox:transport sandbox.nginx.start"
    .. " server:stop server:run" },
}

-- A type and what follows it: blanks within parentheses, or after a colon or comma,
-- belong to the type.
local function split(text)
  local depth = 0
  for index = 1, #text do
    local char = text:sub(index, index)
    depth = depth + (char:find "[(<{]" and 1 or char:find "[)>}]" and -1 or 0)
    if char == " " and depth == 0 and not text:sub(1, index - 1):find "[:,]$" then
      return text:sub(1, index - 1), text:sub(index + 1)
    end
  end
  return text, ""
end

local tags = {}

function tags.class(block, rest)
  block.class = rest:match "^starvideos%.(%w+)"
  block.parents = rest:match ":%s*(.*)$"
end

function tags.alias(block, rest)
  local kind
  block.class, kind = rest:match "^starvideos%.(%w+)%s*(.*)$"
  block.alias = { kind ~= "" and kind or nil }
end

-- The text of a field that does not fit beside it stands above it.
function tags.field(block, rest)
  local name, typed = rest:match "^(%S+) (.*)$"
  local kind, text = split(typed)
  block.fields[#block.fields + 1] = { name = name, type = kind,
    text = block.above and table.concat(block.above, " ") or text }
  block.above = nil
end

function tags.param(block, rest)
  local name, typed = rest:match "^(%S+) (.*)$"
  local kind, text = split(typed)
  local one = { name = name, type = kind, text = text }
  block.params[#block.params + 1] = one
  block.place = one
end

tags["return"] = function(block, rest)
  local kind, text = split(rest)
  local name, meaning = text:match "^(%S*)%s*(.*)$"
  local one = { name = name, type = kind, text = meaning }
  block.returns[#block.returns + 1] = one
  block.place = one
end

local function read_line(block, line)
  local tag, rest = line:match "^%-%-%-@(%l+) ?(.*)$"
  local text = line:sub(4)
  if tag then
    assert(tags[tag], line)(block, rest)
  elseif line:find "^%-%-%-| " then
    table.insert(block.alias, (line:sub(6)))
  elseif block.place then
    block.place.text = block.place.text .. " " .. text
  elseif block.class then
    block.above = block.above or {}
    table.insert(block.above, text)
  else
    table.insert(block.text, text)
  end
end

local function keep(found, source, block, code)
  if block.class then
    local known = found.classes[block.class]
    -- A class goes on in another file with methods alone.
    if not known then
      found.classes[block.class] = block
      found.list[#found.list + 1] = block.class
    end
    return
  end
  local owner, name = code:match "^function (%u%a*:)([%w_]+)%("
  local module = MODULES[source] or "starvideos."
  if not owner then
    name = code:match "^function _M%.([%w_]+)%("
    if not name and code:find "^return function%(" then
      name, module = module, ""
    end
  end
  if name then
    block.name = (owner and OWNERS[owner] or module) .. name
    block.code = code
    found.functions[block.name] = block
  end
end

--- What the sources describe.
-- @treturn table `functions` by the names of the pages, `classes` by their names, and
--   their names in order as `list`
function _M.read()
  local found = { functions = {}, classes = {}, list = {} }
  for _, source in ipairs(SOURCES) do
    local block
    for line in io.lines("lua/starvideos/" .. source .. ".lua") do
      if line:find "^%-%-%-[^ -]" or block and line == "---"
        or block and line:find "^%-%-%- " then
        block = block or { text = {}, params = {}, returns = {}, fields = {} }
        read_line(block, line)
      elseif block then
        keep(found, source, block, line)
        block = nil
      end
    end
  end
  for _, one in pairs(found.functions) do
    one.text = table.concat(one.text, "\n")
    one.usage = one.text:match "```lua\n(.-)\n```"
  end
  for _, one in pairs(found.classes) do
    one.text = table.concat(one.text, " ")
  end
  return found
end

local function names_in(kind)
  return kind:gmatch "starvideos%.(%u%w*)"
end

-- All types that a function or class names.
local function types_of(one)
  local kinds = { one.parents, one.alias and table.concat(one.alias, "|") }
  for _, list in ipairs { one.params, one.returns, one.fields } do
    for _, each in ipairs(list) do
      kinds[#kinds + 1] = each.type
    end
  end
  local text = {}
  for _, kind in pairs(kinds) do
    text[#text + 1] = kind
  end
  return table.concat(text, " ")
end

--- Which classes stand on which page.
-- @tparam table found as `read` gives it
-- @treturn table names of classes by the names of pages
-- @treturn table names of pages by the names of classes
function _M.place(found)
  local on, page_of = {}, {}
  local function put(page, name)
    if page_of[name] or not found.classes[name] then
      return
    end
    page_of[name] = page
    table.insert(on[page], name)
    for other in names_in(types_of(found.classes[name])) do
      put(page, other)
    end
  end
  for _, page in ipairs(_M.pages) do
    on[page[1]] = {}
    for name in (page[5] or ""):gmatch "%S+" do
      page_of[name] = page[1]
      table.insert(on[page[1]], name)
    end
  end
  for _, page in ipairs(_M.pages) do
    for name in page[4]:gmatch "%S+" do
      for class in names_in(types_of(assert(found.functions[name], name))) do
        put(page[1], class)
      end
    end
  end
  return on, page_of
end

-- Markdown -------------------------------------------------------------------

-- A type, with a link to each class that it names; no line of a table ends in it.
local function shown(kind, page_of)
  local text = kind:gsub("[|<>%[%]*_\\]", "\\%0")
  return (text:gsub("starvideos%.(%u%w*)", function(name)
    return page_of[name] and ("[%s](%s.md#%s)"):format(name, page_of[name],
      name:lower()) or name
  end))
end

local function cell(text)
  return (text:gsub("|", "\\|"))
end

local function table_of(rows, page_of)
  local lines = { "| name | type | meaning |", "|---|---|---|" }
  for _, row in ipairs(rows) do
    lines[#lines + 1] = ("| `%s` | %s | %s |"):format(row.name,
      shown(row.type, page_of), cell(row.text))
  end
  return table.concat(lines, "\n")
end

local function anchor(name)
  return (name:lower():gsub("[^%w_-]", "-"))
end

local function heading(name)
  return ("## %s {#%s}"):format(name, anchor(name))
end

local function function_text(one, page_of)
  local parts = { heading(one.name), (one.text:gsub("\n```lua", "\n\n```lua")) }
  if one.params[1] then
    parts[#parts + 1] = "Takes:\n\n" .. table_of(one.params, page_of)
  end
  if one.returns[1] then
    parts[#parts + 1] = "Returns:\n\n" .. table_of(one.returns, page_of)
  end
  return table.concat(parts, "\n\n")
end

local function class_text(one, page_of)
  local parts = { heading(one.class), one.text }
  if one.alias then
    parts[#parts + 1] = "One of: " .. shown(table.concat(one.alias, "|"), page_of)
  end
  if one.parents then
    parts[#parts + 1] = "Also the fields of " .. shown(one.parents, page_of) .. "."
  end
  if one.fields[1] then
    parts[#parts + 1] = table_of(one.fields, page_of)
  end
  return table.concat(parts, "\n\n")
end

-- The limits of a model, as `models` gives them.
local function limits_of(row)
  local names, texts = {}, {}
  for name in pairs(row) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    local value = row[name]
    texts[index] = ("%s %s"):format(name, type(value) == "table"
      and table.concat(value, ", ") or tostring(value))
  end
  return table.concat(texts, "; ")
end

local function models_text()
  local parts = {}
  for _, model in ipairs(starvideos.models()) do
    local lines = { heading(model.name) .. "\n", "| field | limits |", "|---|---|" }
    for _, field in ipairs(core.fields()) do
      local row = model[field.name] or field.kind == "frame" and model.frames
      if type(row) == "table" then
        lines[#lines + 1] = ("| `%s` | %s |"):format(field.name, limits_of(row))
      end
    end
    parts[#parts + 1] = table.concat(lines, "\n")
  end
  return table.concat(parts, "\n\n")
end

local function page_text(found, page, classes, page_of)
  local parts = { "# " .. page[2], page[3] }
  for name in page[4]:gmatch "%S+" do
    parts[#parts + 1] = function_text(found.functions[name], page_of)
  end
  for _, name in ipairs(classes) do
    parts[#parts + 1] = class_text(found.classes[name], page_of)
  end
  if page[1] == "models" then
    parts[#parts + 1] = models_text()
  end
  return table.concat(parts, "\n\n") .. "\n"
end

-- A link of a guide: what is no page (a folder, a picture) is named without one.
local function linked(label, target, known)
  local name, rest = target:match "^([%w_%-%./]*)%.md(#?.*)$"
  name = name and name:match "[^/]*$"
  if name and known[name] then
    return ("[%s](%s.md%s)"):format(label, known[name], rest)
  end
  return not target:find "^#" and not target:find "^https?:" and label or nil
end

-- A line of a guide: headings get the anchors that links to them have.
local function guide_line(line, known)
  local title = line:match "^#+ (.*)"
  if title then
    line = ("%s {#%s}"):format(line, title:lower()
      :gsub("[^%w%s_%-\128-\255]", ""):gsub("%s", "-"))
  end
  return (line:gsub("%[([^%]]*)%]%(([^%)%s]+)%)", function(label, target)
    return linked(label, target, known)
  end))
end

local function guide_text(text, known)
  local lines, fenced = {}, false
  for line in text:gmatch "([^\n]*)\n" do
    if line:find "^```" then
      fenced = not fenced
    end
    lines[#lines + 1] = fenced and line or guide_line(line, known)
  end
  return table.concat(lines, "\n") .. "\n"
end

local function lines_of(command)
  local lines, stream = {}, assert(io.popen(command))
  for line in stream:lines() do
    lines[#lines + 1] = line
  end
  assert(stream:close(), command)
  return lines
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function write_all(folder)
  local found, known = _M.read(), {}
  local on, page_of = _M.place(found)
  for _, page in ipairs(_M.pages) do
    write(folder .. "/reference/" .. page[1] .. ".md",
      page_text(found, page, on[page[1]], page_of))
  end
  local guides = lines_of "ls README.md docs/*.md"
  for _, path in ipairs(guides) do
    local name = path:match "([^/]*)%.md$"
    known[name] = name == "README" and "index" or name
  end
  for _, path in ipairs(guides) do
    write(("%s/%s.md"):format(folder, known[path:match "([^/]*)%.md$"]),
      guide_text(read(path), known))
  end
end

if arg and arg[0] and arg[0]:find "docs/reference%.lua$" then
  write_all(arg[1])
end

return _M
