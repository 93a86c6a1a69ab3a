-- `make check-docs`: what of the reference leads nowhere, or shows its markup.
--
--   lua docs/reference/check.lua FOLDER
--
-- All links and anchors inside the pages of FOLDER and of the Markdown files, no
-- backtick and no empty page. Prints each fault, and "N passed, N failed".

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

local function html_anchors(text)
  local set = {}
  for name in text:gmatch 'name%s*=%s*"([^"]*)"' do
    set[unescaped(name)] = true
  end
  for name in text:gmatch 'id%s*=%s*"([^"]*)"' do
    set[unescaped(name)] = true
  end
  return set
end

-- Fenced blocks are no text.
local function prose(text)
  return (("\n" .. text):gsub("\n```.-\n```", "\n"))
end

local function markdown_anchors(text)
  local set = {}
  for heading in prose(text):gmatch "\n#+ ([^\n]*)" do
    set[heading:lower():gsub("[^%w%s_%-\128-\255]", ""):gsub("%s", "-")] = true
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
      or (path:find "%.md$" and markdown_anchors or html_anchors)(text)
    check(anchors[path][unescaped(anchor)], page, target, "has no such anchor")
  end
end

local function check_html(page)
  local text = assert(read(page))
  for target in text:gmatch '[hs][rR]e?[ec]f?%s*=%s*"([^"]*)"' do
    check_link(page, target)
  end
  local content = text:match '<div id="content">(.*)<div id="about">' or ""
  local words = select(2, content:gsub("<[^>]*>", ""):gsub("%w+", ""))
  check(words > 20, page, "is empty")
  local shown = text:gsub("<pre.->.-</pre>", ""):gsub("<[^>]*>", "")
  check(not shown:find "`", page, "shows a backtick",
    shown:match "[^\n]*`[^\n]*")
  check(not shown:find "%]%(", page, "shows a link's markup",
    shown:match "[^\n]*%]%([^\n]*")
end

local function check_markdown(page)
  local text = prose(assert(read(page))):gsub("`[^`\n]*`", "")
  for target in text:gmatch "%]%(([^%)%s]+)%)" do
    check_link(page, target)
  end
end

for _, page in ipairs(lines_of("find '" .. folder .. "' -name '*.html'")) do
  check_html(page)
end
for _, page in ipairs(lines_of "ls *.md docs/*.md") do
  check_markdown(page)
end
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
