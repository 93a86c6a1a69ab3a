-- The floors of the house, and a check that no arrow climbs.
--
-- A file may require, or include, what stands on its own floor or on one below.
-- Floors in one row lie side by side and do not see each other. What comes from
-- outside is named on the floor that may use it, and only there.

local _M = {}

--- The Lua modules, from top to bottom. `name` is a folder of lua/starvideos, or
-- beside it its `files`; `outside`: beginnings of the names of foreign modules.
_M.lua = {
  { { name = "cli", outside = { "argparse" } } },
  { { name = "sandbox", outside = { "ffi" } },
    { name = "gateway", outside = { "ffi", "ngx.", "resty." } },
    { name = "loop", outside = { "luv", "cqueues", "copas", "socket" } } },
  { { name = "face", files = { "init", "client", "client_fleet", "context",
    "arguments", "method" } }, { name = "nginx" } },
  { { name = "fleet" } },
  { { name = "order" } },
  { { name = "wait" }, { name = "ledger", outside = { "DBI" } } },
  { { name = "provider" }, { name = "host", outside = { "ngx.", "resty." } } },
  { { name = "base", outside = { "cjson" }, files = { "errors", "events", "options" } } },
  { { name = "C", files = { "core", "curl" } } },
}

--- The same of csrc. What no floor has is ISO C's, and everybody's.
_M.c = {
  { { name = "binding", outside = { "lua.h", "lauxlib.h", "lualib.h" } } },
  { { name = "http", outside = { "curl/" } } },
  { { name = "thread" } },
  { { name = "system", outside = { "openssl/", "arpa/", "dirent.h",
    "dispatch/", "dlfcn.h",
    "fcntl.h", "grp.h", "linux/", "netdb.h", "netinet/", "poll.h", "pthread.h", "sched.h",
    "semaphore.h", "signal.h", "strings.h", "sys/", "termios.h", "unistd.h",
    "winsock2.h", "ws2tcpip.h", "windows.h", "bcrypt.h", "sddl.h", "direct.h", "io.h",
    "process.h", "share.h", "xlocale.h" } } },
  { { name = "rules" } },
}

local ISO_C = {}
for name in ("assert complex ctype errno float inttypes iso646 limits locale"
  .. " math setjmp stdarg stdatomic stdbool stddef stdint stdio stdlib string time wchar wctype")
  :gmatch "%a%w*" do
  ISO_C[name .. ".h"] = true
end

-- Where a file stands: a floor, and how far down.
local function floor_of(house, place)
  local folder, file = place:match "^([^/]*)/", place:match "^[^/]*$"
  for depth, row in ipairs(house) do
    for _, floor in ipairs(row) do
      if floor.name == (folder or not floor.files and file) then
        return floor, depth
      end
      for _, name in ipairs(floor.files or {}) do
        if name == file then
          return floor, depth
        end
      end
    end
  end
end

local function may_use(floor, outside)
  for _, beginning in ipairs(floor.outside or {}) do
    if outside:sub(1, #beginning) == beginning then
      return true
    end
  end
end

-- A line of a file that is not one of comment alone.
local function code_of(text)
  return (("\n" .. text):gsub("\n%s*%-%-[^\n]*", "\n"))
end

local function is_there(path)
  local file = io.open(path)
  return file and file:close()
end

local languages = {
  lua = {
    house = _M.lua,
    verb = "requires",
    folder = "lua/starvideos/",
    ending = "%.lua$",
    file = function(place)
      local path = "lua/starvideos/" .. place
      return is_there(path .. "/init.lua") and path .. "/init.lua"
        or path .. ".lua"
    end,
    uses = function(text)
      return code_of(text):gmatch "require[%s(]*([\"'])([^\"']+)"
    end,
    -- The place of one of our own modules; of a name put together its folder.
    own = function(_, name)
      if name == "starvideos" then
        return "init"
      end
      local place = name:match "^starvideos%.(.*)$"
      return place and place:gsub("%.", "/")
    end,
  },
  c = {
    house = _M.c,
    verb = "includes",
    folder = "csrc/",
    ending = "%.[ch]$",
    file = function(place) return "csrc/" .. place end,
    uses = function(text)
      return text:gmatch "#%s*include%s*([<\"])([^>\"]+)"
    end,
    own = function(mark, name) return mark == '"' and name or nil end,
  },
}

local function fault_of(language, path, floor, depth, mark, name)
  local place = language.own(mark, name)
  if not place then
    if ISO_C[name] or may_use(floor, name) then
      return nil
    end
    return ("%s %s %s, which the floor %s may not use"):format(path,
      language.verb, name, floor.name)
  end
  local other, other_depth = floor_of(language.house, place)
  local file = language.file(place)
  if not other then
    return ("%s %s %s, which stands on no floor"):format(path, language.verb,
      file)
  elseif other ~= floor and other_depth <= depth then
    return ("%s %s %s: %s may not use %s"):format(path, language.verb, file,
      floor.name, other.name)
  end
end

local function language_of(path)
  return languages[path:match "%.lua$" and "lua" or "c"]
end

--- What is wrong with one file.
-- @tparam string path from the root of the project
-- @tparam string text what it holds
-- @treturn table list of sentences, each naming both files
function _M.faults(path, text)
  local language = language_of(path)
  local place = path:sub(#language.folder + 1)
  local floor, depth = floor_of(language.house,
    (place:gsub(language.ending, "")))
  if not floor then
    return { path .. " stands on no floor" }
  end
  local list = {}
  for mark, name in language.uses(text) do
    list[#list + 1] = fault_of(language, path, floor, depth, mark, name)
  end
  return list
end

--- The files of our own that a file uses.
-- @tparam string path from the root of the project
-- @tparam string text what it holds
-- @treturn table list of paths
function _M.uses(path, text)
  local language, list = language_of(path), {}
  for mark, name in language.uses(text) do
    local place = language.own(mark, name)
    list[#list + 1] = place and language.file(place)
  end
  return list
end

return _M
