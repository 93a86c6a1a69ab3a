-- Runs suites of specs, each under its own Lua, and adds them up.
--
--   lua5.4 spec/run.lua unit:lua5.1 integration:luajit installed:lua5.4 ...
--
-- JOBS says how many run at a time (2), SUITE_SECONDS after how long one is
-- taken for stuck, BUILD where the modules lie (build/$LUA). The last line is
-- "N passed, N failed"; the exit code is 0 where nothing failed.

local JOBS = tonumber(os.getenv("JOBS")) or 2
local SUITE_SECONDS = tonumber(os.getenv("SUITE_SECONDS")) or 900
local LOGS = "build/log"

-- What the interpreter is to see: the build tree, or an installed one alone.
local BUILT = [[eval "$(MAKEFLAGS= make -s env LUA=%s BUILD=%s)"]]
local INSTALLED = [[
tree="$(pwd)/build/rocks"
export LUA_PATH="$tree/share/lua/%s/?.lua;$tree/share/lua/%s/?/init.lua;;"
export LUA_CPATH="$tree/lib/lua/%s/?.so;;" PATH="$tree/bin:$PATH"]]

local kinds = {
  unit = { title = "unit specs", files = "spec/*_spec.lua" },
  integration = {
    title = "integration specs", files = "spec/integration/*_spec.lua",
  },
  hosts = { title = "specs inside the hosts", files = "spec/hosts/*_spec.lua" },
  engine = {
    title = "specs of the engine",
    files = "spec/integration/curl_spec.lua"
      .. " spec/integration/reuse_spec.lua"
      .. " spec/integration/driver_*spec.lua"
      .. " spec/integration/download_spec.lua",
  },
  operations = {
    title = "specs of the operations and the command",
    files = "spec/integration/service_spec.lua"
      .. " spec/integration/command_spec.lua",
  },
  faults = {
    title = "specs of faults and secrets",
    files = "spec/integration/faults_spec.lua"
      .. " spec/integration/secrets_spec.lua",
  },
  installed = {
    title = "unit specs on the installed rock", files = "spec/*_spec.lua",
    installed = true,
  },
}

local function environment(kind, lua)
  if kind.installed then
    return (INSTALLED:gsub("%%s", (lua:gsub("^lua", ""))))
  end
  local build = os.getenv("BUILD") or "build/" .. lua
  return BUILT:format(lua, build)
end

-- The output goes to a file, so that suites may run side by side and a
-- process left over by a spec cannot keep us waiting for the end of a pipe.
local COMMAND = [[
%s
timeout --foreground %d \
  %s "$(command -v busted)" -o plainTerminal %s </dev/null >%s 2>&1
echo $?]]

local function start(name)
  local kind, lua = name:match("^(%a+):(%w[%w.]*)$")
  local suite = assert(kinds[kind], "no suite is called " .. name)
  local log = ("%s/%s-%s.log"):format(LOGS, kind, lua)
  local command = COMMAND:format(environment(suite, lua), SUITE_SECONDS, lua,
    suite.files, log)
  return {
    title = ("%s, %s"):format(lua, suite.title), log = log,
    process = assert(io.popen(command)),
  }
end

-- A runner that crashed, was stopped or ran nothing has failed, whatever it
-- managed to print.
local function judge(output, status)
  local passed, failed, errors, skipped = output:match(
    ".*%f[%d](%d+) success%a* / (%d+) failure%a* / (%d+) error%a* / (%d+) pending")
  if not passed then
    return 0, 1, 0, ("ended with status %s, without a summary"):format(status)
  end
  failed = failed + errors
  if failed == 0 and status ~= "0" then
    return passed, 1, skipped,
      ("ended with status %s, after its summary"):format(status)
  elseif passed + failed == 0 then
    return 0, 1, skipped, "ran no spec"
  end
  return passed, failed, skipped
end

local function finish(suite)
  local status = suite.process:read("l") or "unknown"
  suite.process:close()
  local file = assert(io.open(suite.log))
  local output = file:read("a")
  file:close()
  print("== " .. suite.title)
  print((output:gsub("%s+$", "")))
  local passed, failed, skipped, trouble = judge(output, status)
  if trouble then
    print("!! " .. suite.title .. " " .. trouble)
  end
  print("")
  return passed, failed, skipped
end

local function run(names)
  local total = { passed = 0, failed = 0, skipped = 0 }
  local running = {}
  for i = 1, #names do
    for j = i, math.min(i + JOBS - 1, #names) do
      running[j] = running[j] or start(names[j])
    end
    local passed, failed, skipped = finish(running[i])
    total.passed = total.passed + passed
    total.failed = total.failed + failed
    total.skipped = total.skipped + skipped
  end
  return total
end

os.execute("mkdir -p " .. LOGS)
io.stdout:setvbuf("line")
local total = run(arg)
local line = ("%d passed, %d failed"):format(total.passed, total.failed)
if total.skipped > 0 then
  line = line .. (", %d skipped"):format(total.skipped)
end
print(line)
os.exit(total.failed == 0 and total.passed > 0, true)
