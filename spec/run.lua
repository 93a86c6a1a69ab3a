-- Runs suites of specs, each under its own Lua, and adds them up.
--
--   lua5.4 spec/run.lua unit:lua5.1 integration:luajit installed:lua5.4 ...
--
-- Each file of specs has a process of its own. JOBS says how many run at a time of
-- those that compute (one for each core); three times as many run beside them that mostly
-- wait. FILE_SECONDS is after how long one is taken for stuck, BUILD where the
-- modules lie (build/$LUA). What a file printed is shown where it failed, and kept
-- in build/log. A file that failed beside others is run once more at the end,
-- alone, and what it does there counts: that tells a fault from a machine that was
-- busy. Both runs are shown, and who passed only alone is named in the last lines.
-- Faults and secrets, which no load excuses, have one run; what Wine's server took
-- with it when it ended has more.
-- `installed` are the unit specs against what LuaRocks installed, in a German
-- locale; `turkish` are those of the build, in a Turkish one.
-- `windows` is for the Luas that Wine runs; there what spec/windows/posix.lua marks
-- is run as well, must fail, and counts as skipped: a whole file in the first of
-- the Luas, for 20 s. The last line is "N passed, N failed"; the exit code is 0
-- where nothing failed.

local FILE_SECONDS = tonumber(os.getenv("FILE_SECONDS")) or 1500
local POSIX_SECONDS = 20
local LOGS = "build/log"
local posix = dofile "spec/windows/posix.lua"
local ONCE = { exhaustive = true, faults = true, secrets = true }

local kinds = {
  unit = "spec/unit",
  integration = "spec/integration",
  exhaustive = "spec/exhaustive",
  hosts = "spec/hosts",
  scenarios = "spec/hosts/scenarios_spec.lua",
  clients = "spec/clients",
  loops = "spec/hosts/copas_spec.lua spec/hosts/cqueues_spec.lua"
    .. " spec/hosts/luv_spec.lua",
  engine = "spec/integration/curl*_spec.lua"
    .. " spec/integration/reuse_spec.lua"
    .. " spec/integration/network*_spec.lua"
    .. " spec/integration/download_spec.lua",
  operations = "spec/integration/service_spec.lua"
    .. " spec/integration/command_spec.lua",
  faults = "spec/exhaustive/faults_spec.lua",
  secrets = "spec/exhaustive/secrets_spec.lua",
  installed = "spec/unit",
  turkish = "spec/unit",
  rocks = "spec/rocks",
  rockspec = "spec/rocks/rockspec_spec.lua",
  console = "spec/windows",
  windows = "spec/unit spec/hosts/luv_spec.lua spec/integration/cli"
    .. " spec/integration/*_spec.lua",
}

-- What mostly computes, beside the unit specs; in Wine all wait for its server. The
-- ledger's wait for the disk.
local COMPUTING = { allocation = true, growth = true, secrets = true }
local LEDGER = { ["unit/ledger/init"] = true, ["unit/ledger/working"] = true }

-- What a kind has from Lua 5.4 alone: what is about programs of the system, or about texts,
-- and no Lua's own; and what Wine takes minutes for, where LuaJIT's turn is on Linux.
local IN_ONE_LUA = {
  exhaustive = { "secrets" },
  integration = { "install", "cookbook", "completion", "sandbox_nginx", "cli/gateway",
    "libcurl" },
  windows = { "unit/ledger/", "unit/fleet/", "unit/cli/ledger", "unit/cli/batch",
    "integration/service", "integration/command" },
}

-- What takes longest comes first, or all would wait for it at the end.
local LONGEST = { "init", "secrets", "allocation", "faults", "torture", "service",
  "resty_http", "scenarios", "nginx_runtime", "fleet", "ledger", "ledger_working", "ledger_outage",
  "provider_faults", "shipping", "worker", "cookbook", "sandbox_nginx", "gateway",
  "stream", "command", "install", "love", "copas", "budget", "growth",
  "answer_json" }

-- What the interpreter is to see: the build tree, or an installed one alone.
local BUILT = "MAKEFLAGS= make -s env LUA=%s BUILD=%s"
local INSTALLED = [[cat <<'end'
tree="$(pwd)/build/rocks"
export LUA_PATH="$tree/share/lua/%s/?.lua;$tree/share/lua/%s/?/init.lua;;"
export LUA_CPATH="$tree/lib/lua/%s/?.so;;" PATH="$tree/bin:$PATH"
end]]

-- The locale of a user as a GUI toolkit sets it, but for the messages of the
-- system, which specs read.
local LOCALES = { installed = "de_DE.UTF-8", turkish = "tr_TR.UTF-8" }
local IN_LOCALE = [[

cat <<'end'
export LUA_INIT="for kind in ('collate ctype monetary numeric time'):gmatch '%%a+' do
  assert(os.setlocale('%s', kind)) end"
end]]

-- There a Lua is a script: see spec/windows/lua.sh.
local WINDOWS = [[echo 'export PATH="$(pwd)/build/windows/bin:$PATH"']]

-- One file of specs: prints its number and how it ended. Its output goes to a
-- file, so that a process left over cannot keep us waiting for the end of a
-- pipe.
local WORKER = [[
set -- $1
. "$2"
timeout --foreground "$6" "$3" "$(command -v busted)" -o plainTerminal "$4" \
  </dev/null >"$5" 2>&1
status=$?
times >"$5.times"
echo "$1 $status $(tail -n 1 "$5.times")"]]

local function write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a"):gsub("\r\n", "\n")
  file:close()
  return text
end

local function job_count()
  local cores = assert(io.popen("getconf _NPROCESSORS_ONLN"))
  local count = tonumber((cores:read("l"))) or 1
  cores:close()
  return tonumber(os.getenv("JOBS")) or count
end

local function environment(kind, lua)
  local in_locale = LOCALES[kind] and IN_LOCALE:format(LOCALES[kind]) or ""
  if kind == "installed" then
    return (INSTALLED:gsub("%%s", (lua:gsub("^lua", "")))) .. in_locale
  elseif kind == "windows" then
    return WINDOWS
  end
  return BUILT:format(lua, os.getenv("BUILD") or "build/" .. lua) .. in_locale
end

-- Whether no spec of a file runs on Windows.
local function marked_whole(kind, path)
  return kind == "windows" and type(posix[path]) == "string"
end

local function new_job(kind, lua, path)
  local prefix = ("%s/%s-%s"):format(LOGS, kind, lua)
  local place = path:match("^spec/(.*)_spec%.lua$")
  local base = place:match "[^/]*$"
  return {
    title = ("%s %s, %s"):format(path, kind, lua), base = base, kind = kind,
    computes = kind ~= "windows" and (COMPUTING[base] or place:find "^unit/" and not LEDGER[place]),
    seconds = marked_whole(kind, path) and POSIX_SECONDS or FILE_SECONDS,
    lua = lua, path = path, environment = prefix .. ".env",
    log = ("%s-%s.log"):format(prefix, (place:gsub("/", "-"))),
  }
end

-- Whether Lua 5.4 has it already.
local function is_left_out(kind, lua, path)
  for _, part in ipairs(lua ~= "lua5.4" and IN_ONE_LUA[kind] or {}) do
    if path:find("/" .. part, 1, true) then
      return true
    end
  end
  return false
end

-- A file that is marked as POSIX is so in each Lua: `marked` has those of the first.
local function add_suite(jobs, marked, name)
  local kind, lua = name:match("^(%a+):(%w[%w.]*)$")
  local pattern = assert(kinds[kind], "no suite is called " .. name)
  assert(os.execute(("{ %s\n} >%s/%s-%s.env"):format(environment(kind, lua), LOGS,
    kind, lua)))
  local files = assert(io.popen(
    "find " .. pattern .. " -name '*_spec.lua' | LC_ALL=C sort"))
  for path in files:lines() do
    if not (marked[path] or is_left_out(kind, lua, path)) then
      jobs[#jobs + 1] = new_job(kind, lua, path)
    end
    marked[path] = marked_whole(kind, path)
  end
  files:close()
end

local function longest_first(jobs)
  local place = {}
  for index, base in ipairs(LONGEST) do
    place[base] = index
  end
  for index, job in ipairs(jobs) do
    job.place = (place[job.base] or #LONGEST + 1) * #jobs + index
  end
  table.sort(jobs, function(a, b) return a.place < b.place end)
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

-- What of a file is marked as POSIX has failed and counts as skipped; whoever is
-- marked and passes, or is not there, has failed, unless it passes by chance.
local function excuse(job, output, passed, failed, skipped)
  local marked = job.kind == "windows" and posix[job.path]
  if not marked then
    return passed, failed, skipped
  elseif type(marked) == "string" then
    if failed > 0 then
      return 0, 0, passed + failed + skipped
    end
    return passed, 1, skipped, "marked as POSIX, and passes"
  end
  local broken, stale = {}, nil
  for name in output:gmatch "\n%u%l+ %-> [^\n]*\n([^\n]*)" do
    broken[name] = true
  end
  for name, why in pairs(marked) do
    if broken[name] then
      failed, skipped = failed - 1, skipped + 1
    elseif type(why) == "string" then
      stale = name
    end
  end
  if stale then
    return passed, failed + 1, skipped,
      "marked as POSIX, and does not fail: " .. stale
  end
  return passed, failed, skipped
end

-- Where it stands in a long log only its end is read: why the first failed that is
-- not marked as POSIX.
local function reason_in(job, output)
  local marked = job.kind == "windows" and posix[job.path]
  local excused = type(marked) == "table" and marked or {}
  for at, name in output:gmatch "\n()%u%l+ %-> [^\n]*\n([^\n]*)" do
    if not excused[name] then
      return output:sub(at, at + 999)
    end
  end
  return output:sub(-1000)
end

-- Of a shell's "1m2.50s".
local function seconds_of(text)
  local minutes, seconds = text:match "^(%d+)m([%d.]+)s$"
  return minutes * 60 + seconds
end

-- Shows how a file ended, and what of its time was the processor's. Gives its counts,
-- and why it failed.
local function finish(job, status, computed)
  local output = read(job.log)
  local passed, failed, skipped, trouble = judge(output, status)
  if not trouble or marked_whole(job.kind, job.path) then
    passed, failed, skipped, trouble = excuse(job, output, passed, failed, skipped)
  end
  print(("%6.1f s %6.1f s %4d passed: %s"):format(tonumber((output:match(
    " : ([%d.]+) seconds"))) or 0, computed, passed, job.title))
  if failed > 0 then
    print(output)
    print(("!! %s: %s"):format(job.title, trouble or failed .. " failed"))
  end
  return { job = job, passed = passed, failed = failed, skipped = skipped or 0,
    is_lost = trouble ~= nil and trouble:find "without a summary" ~= nil,
    reason = failed > 0 and reason_in(job, output) or nil }
end

-- Hands the jobs to workers in their order, so many that compute and so many that
-- wait at a time. Side by side in a pipeline, not in the background, where specs
-- would ignore Ctrl-C.
local WORKERS = "{ xargs -P %d -I {} sh %s {} <%s >&3 3>&- |"
  .. " xargs -P %d -I {} sh %s {} <%s >&3 3>&-; } 3>&1"

local function launch(jobs, lists, computing, waiting)
  local lines, worker = { {}, {} }, LOGS .. "/worker.sh"
  for index, job in ipairs(jobs) do
    local own = lines[(job.computes or waiting == 0) and 1 or 2]
    own[#own + 1] = ("%d %s %s %s %s %d\n"):format(index, job.environment,
      job.lua, job.path, job.log, job.seconds)
  end
  for index, list in ipairs(lists) do
    write(list, table.concat(lines[index]))
  end
  write(worker, WORKER)
  return assert(io.popen(WORKERS:format(computing, worker, lists[1],
    math.max(waiting, 1), worker, lists[2])))
end

local function run(jobs, computing, waiting)
  local results, lists = {}, { os.tmpname(), os.tmpname() }
  local workers = launch(jobs, lists, computing, waiting)
  for line in workers:lines() do
    local index, status, user, system = line:match(
      "^(%d+) (%d+) ([%dms.]+) ([%dms.]+)$")
    results[#results + 1] = finish(jobs[tonumber(index)], status,
      seconds_of(user) + seconds_of(system))
  end
  workers:close()
  os.remove(lists[1])
  os.remove(lists[2])
  assert(#results == #jobs, "the workers were stopped")
  return results
end

-- Those that failed beside others, once more; a note stays of each that passes.
local function run_again(results, is_due)
  local jobs, first = {}, {}
  for _, result in ipairs(results) do
    if result.failed > 0 and is_due(result) then
      jobs[#jobs + 1] = result.job
      first[result.job] = result
    end
  end
  if #jobs == 0 then
    return
  end
  print "== once more, alone"
  for _, result in ipairs(run(jobs, 1, 0)) do
    local before = first[result.job]
    before.passed, before.failed = result.passed, result.failed
    before.skipped, before.is_lost = result.skipped, result.is_lost
  end
end

local function may_be_late(result)
  return not ONCE[result.job.kind]
end

-- Wine's server may end on an assertion of its own, and takes all with it.
local function has_lost_wine(result)
  return result.job.kind == "windows" and result.is_lost
end

os.execute("mkdir -p " .. LOGS)
io.stdout:setvbuf("line")
local jobs, marked = {}, {}
for _, name in ipairs(arg) do
  add_suite(jobs, marked, name)
end
longest_first(jobs)
local results = run(jobs, job_count(), 3 * job_count())
run_again(results, may_be_late)
for _ = 1, 3 do
  run_again(results, has_lost_wine)
end
local total = { passed = 0, failed = 0, skipped = 0 }
for _, result in ipairs(results) do
  for key, count in pairs(total) do
    total[key] = count + result[key]
  end
  if result.reason then
    print(("!! %s%s\n%s"):format(result.job.title,
      result.failed > 0 and "" or " (passed alone)", result.reason))
  end
end
local line = ("%d passed, %d failed"):format(total.passed, total.failed)
if total.skipped > 0 then
  line = line .. (", %d skipped"):format(total.skipped)
end
print(line)
os.exit(total.failed == 0 and total.passed > 0, true)
