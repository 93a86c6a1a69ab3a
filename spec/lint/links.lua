-- `make check-docs`: which links lead nowhere.
--
--   lua spec/lint/links.lua FOLDER
--
-- All links and anchors of the Markdown in FOLDER, of which no page is empty, and of the
-- documents as they lie here. Prints each fault, and "N passed, N failed".

local folder = arg[1]
local passed, failed = 0, 0

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
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

local function check(holds, ...)
  if holds then
    passed = passed + 1
  else
    failed = failed + 1
    print(table.concat({ ... }, ": "))
  end
end

-- The path of a link, without the `..` and `.` in it.
local function resolve(page, target)
  local parts = {}
  local path = target == "" and page
    or (page:match "^(.*)/[^/]*$" or ".") .. "/" .. target
  for part in path:gmatch "[^/]+" do
    if part == ".." and parts[1] and parts[#parts] ~= ".." then
      table.remove(parts)
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return (path:find "^/" and "/" or "") .. table.concat(parts, "/")
end

local function unescaped(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end):gsub("&amp;", "&"):gsub("&quot;", '"'):gsub("&#39;", "'"))
end

local anchors = {}

-- Fenced blocks are no text.
local function prose(text)
  return (("\n" .. text):gsub("\n```.-\n```", "\n"))
end

local function markdown_anchors(text)
  local set = {}
  for heading in prose(text):gmatch "\n#+ ([^\n]*)" do
    local given = heading:match "{#(%S+)}$"
    set[given or heading:lower():gsub("[^%w%s_%-\128-\255]", ""):gsub("%s", "-")] = true
  end
  return set
end

local function is_there(path)
  return os.execute("test -e '" .. path:gsub("'", "'\\''") .. "'")
end

local function check_link(page, target)
  if target:find "^%a[%w+.-]*:" then
    return
  end
  local path, anchor = target:match "^([^#]*)#?(.*)$"
  path = resolve(page, unescaped(path))
  local found = is_there(path)
  check(found == true or found == 0, page, target, "is not there")
  local text = anchor ~= "" and read(path)
  if text then
    anchors[path] = anchors[path]
      or markdown_anchors(text)
    check(anchors[path][unescaped(anchor)], page, target, "has no such anchor")
  end
end

local function check_markdown(page)
  local text = prose(assert(read(page))):gsub("`[^`\n]*`", "")
  for target in text:gmatch "%]%(([^%)%s]+)%)" do
    check_link(page, target)
  end
end

for _, page in ipairs(lines_of("find '" .. folder .. "' -name '*.md'")) do
  local words = select(2, assert(read(page)):gsub("%w+", ""))
  check(words > 20, page, "is empty")
  check_markdown(page)
end
for _, page in ipairs(lines_of "ls *.md docs/*.md") do
  check_markdown(page)
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
