-- Compiles all C for systems that this machine is not, and counts what the
-- compiler says. No program is made: nothing could run it here.
--
--   lua5.4 spec/portable/run.lua
--
-- A file that compiles without a warning has passed. The headers of libcurl,
-- libcrypto and Lua are this machine's, which name no system. Last line: "N
-- passed, N failed".

local ZIG = "build/zig/node_modules/.bin/zig"
local BUILD = "build/portable"

local TARGETS = { "aarch64-macos", "x86_64-macos", "x86_64-linux-musl",
  "aarch64-linux-musl" }

-- What the Makefile compiles with, but for the optimization.
local FLAGS = "-std=gnu11 -fPIC -pthread -Icsrc -D_FILE_OFFSET_BITS=64 -O1 -Wall"
  .. " -Wextra -Wpedantic -Wshadow -Wconversion -Werror -I" .. BUILD .. "/include"

local LUAS = { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit" }

local function lines_of(command)
  local lines, stream = {}, assert(io.popen(command))
  for line in stream:lines() do
    lines[#lines + 1] = line
  end
  return lines, stream:close()
end

local function first_line(command)
  return lines_of(command)[1]
end

-- Headers in multiarch folders, in one of our own that holds nothing else: the
-- C library's are the target's.
local function copy_headers()
  local include = BUILD .. "/include"
  assert(os.execute(([[rm -rf %s && mkdir -p %s/openssl && cd %s &&
    arch=$(gcc -print-multiarch) && cp -RL "/usr/include/$arch/curl" . &&
    cp -RL /usr/include/openssl . && cp -RL "/usr/include/$arch/openssl" . &&
    cp /usr/include/"$arch"/lua5*.h .]]):format(include, include, include)))
end

-- Each Lua's headers: of Debian's packages, or what was built from sources.
local function lua_flags()
  local flags = {}
  for _, lua in ipairs(LUAS) do
    flags[lua] = assert(first_line("pkg-config --cflags-only-I " .. lua),
      "there are no headers of " .. lua)
  end
  local newest = "build/lua5.5/include"
  if os.rename(newest, newest) then
    flags["lua5.5"] = "-I" .. newest
  end
  return flags
end

-- One line a job: what the compiler is called with, without its output.
local function jobs()
  local list, flags = {}, lua_flags()
  local files = lines_of "find csrc -name '*.c' -not -path '*/windows/*' | sort"
  local function add(target, file, name, more)
    list[#list + 1] = ("%s %s/%s.o cc -target %s %s %s -c %s"):format(file,
      BUILD, name:gsub("[^%w.]", "-"), target, FLAGS, more, file)
  end
  for _, target in ipairs(TARGETS) do
    for _, file in ipairs(files) do
      if file:find "^csrc/binding/" then
        for lua, flag in pairs(flags) do
          add(target, file, target .. lua .. file, flag)
        end
      else
        add(target, file, target .. file, "")
      end
    end
  end
  return list
end

-- Prints "passed" or what is wrong, all at once: two run at a time.
local WORKER = [[
file=$1 object=$2
shift 2
if said=$(]] .. ZIG .. [[ "$@" -o "$object" 2>&1); then
  echo passed
else
  printf '%s\n' "!! $*" "$said"
fi]]

copy_headers()
local list = jobs()
local path = BUILD .. "/jobs"
local file = assert(io.open(path, "w"))
assert(file:write(table.concat(list, "\n"), "\n"))
file:close()
local worker = assert(io.open(BUILD .. "/worker.sh", "w"))
assert(worker:write(WORKER))
worker:close()

local passed = 0
for _, line in ipairs(lines_of(
  ("xargs -P 2 -L 1 sh %s/worker.sh <%s"):format(BUILD, path))) do
  if line == "passed" then
    passed = passed + 1
  else
    print(line)
  end
end
print(("%d files for %s, %s"):format(#list, table.concat(TARGETS, ", "),
  "each as C11 with all warnings as errors"))
print(("%d passed, %d failed"):format(passed, #list - passed))
os.exit(passed == #list, true)
