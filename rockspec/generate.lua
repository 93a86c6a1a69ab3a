-- Prints the rockspec of a release, with lists made of the tree: what each module
-- is built of on either system, and every file below lua/.
--
--   lua5.4 rockspec/generate.lua VERSION URL
--
-- `make rockspec` calls it; URL is the folder in which the tarball of `make dist`
-- will lie.

local version, url = arg[1], arg[2]

local function lines_of(command)
  local lines, stream = {}, assert(io.popen(command))
  for line in stream:lines() do
    lines[#lines + 1] = line
  end
  assert(stream:close(), command)
  return lines
end

-- The source files of `core` and `curl`, sorted, as the Makefile has them.
local function sources_of(system)
  local found = {}
  for _, line in ipairs(lines_of("MAKEFLAGS= make -s sources SYSTEM=" .. system)) do
    local module, rest = line:match "^(%S+) (.*)$"
    local list = {}
    for file in rest:gmatch "%S+" do
      list[#list + 1] = file
    end
    table.sort(list)
    found[module] = list
  end
  return found
end

-- As lines of Lua, each with a comma.
local function quoted(list, indent)
  local lines = {}
  for index, item in ipairs(list) do
    lines[index] = ("%s%q,\n"):format(indent, item)
  end
  return table.concat(lines)
end

local MODULE = [[
        ["starvideos.%s"] = {
          defines = { %s },
          incdirs = { %s },
          libdirs = { %s },
          libraries = { %s },
          sources = {
%s          },
        },
]]

local function modules(system, settings)
  local text, sources = {}, sources_of(system)
  for index, name in ipairs { "core", "curl" } do
    local of = settings[name]
    text[index] = MODULE:format(name, settings.defines, of.incdirs, of.libdirs,
      of.libraries, quoted(sources[name], "            "))
  end
  return table.concat(text)
end

local files = lines_of "cd lua && find starvideos -type f | LC_ALL=C sort"

-- What is required, and what lies beside it: LuaRocks puts the latter into the
-- folder that the name leads to.
local function module_list()
  local list = {}
  for _, file in ipairs(files) do
    local name = file:match "^(.*)%.lua$"
    if name then
      list[#list + 1] = ("    [%q] = %q,\n"):format(
        (name:gsub("/init$", ""):gsub("/", ".")), "lua/" .. file)
    end
  end
  return table.concat(list)
end

local function other_files()
  local list = {}
  for _, file in ipairs(files) do
    if not file:find "%.lua$" then
      list[#list + 1] = ("      [%q] = %q,\n"):format(
        (file:gsub("%.[^./]*$", ""):gsub("/", ".")), "lua/" .. file)
    end
  end
  return table.concat(list)
end

local TELLS = '"SV_TELL_LUA"'

local unix = modules("posix", {
  defines = '"_FILE_OFFSET_BITS=64", "_REENTRANT", "_FORTIFY_SOURCE=2", ' .. TELLS,
  core = { incdirs = '"csrc"', libdirs = "", libraries = '"pthread", "dl"' },
  curl = { incdirs = '"csrc", "$(CURL_INCDIR)", "$(CRYPTO_INCDIR)"',
    libdirs = '"$(CURL_LIBDIR)", "$(CRYPTO_LIBDIR)"',
    libraries = '"curl", "crypto", "pthread", "dl"' },
})

local windows = modules("windows", {
  defines = '"_WIN32_WINNT=0x0A00", "__USE_MINGW_ANSI_STDIO=1", ' .. TELLS,
  core = { incdirs = '"csrc"', libdirs = "",
    libraries = '"ws2_32", "bcrypt", "advapi32"' },
  curl = { incdirs = '"csrc", "$(CURL_INCDIR)"', libdirs = '"$(CURL_LIBDIR)"',
    libraries = '"curl", "ws2_32", "bcrypt", "advapi32"' },
})

local ROCKSPEC = [=[
-- Made by `make rockspec`: change rockspec/generate.lua.
rockspec_format = "3.0"
package = "starvideos"
version = "@version@-1"

source = {
  url = "@url@/starvideos-@version@.tar.gz",
  dir = "starvideos-@version@",
}

description = {
  summary = "Client for an asynchronous video generation API",
  detailed = [[
Orders AI videos, waits for them and saves them: checks a request before it is
sent, never sends an order twice, and reports every failure as nil and an error
that a program can branch on. Optional: luadbi-sqlite3 or luadbi-postgresql for
a ledger; luv, cqueues or copas where one of them is the event loop; nginx with
its Lua module for the gateway and the sandbox as a server.]],
  license = "MIT",
}

dependencies = {
  "lua >= 5.1, < 5.6",
  "lua-cjson >= 2.1",
  "argparse >= 0.6",
}

-- No header is named: LuaRocks does not look into the multiarch folders in which
-- Debian has curl's, and the compiler does.
external_dependencies = {
  CURL = { library = "curl" },
  platforms = {
    unix = { CRYPTO = { library = "crypto" } },
  },
}

-- The wrapper of LuaRocks would run what lies in the folder of whoever calls it.
deploy = {
  wrap_bin_scripts = false,
}

build = {
  type = "builtin",
  modules = {
@modules@  },
  install = {
    bin = { starvideos = "bin/starvideos" },
    lua = {
@others@    },
  },
  platforms = {
    unix = {
      modules = {
@unix@      },
    },
    windows = {
      modules = {
@windows@      },
    },
  },
}
]=]

io.write((ROCKSPEC:gsub("@(%l+)@", { version = version, url = url,
  modules = module_list(), others = other_files(), unix = unix,
  windows = windows })))
