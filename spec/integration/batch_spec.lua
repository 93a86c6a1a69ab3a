-- Lists of videos as people order them: real processes, a real terminal and a
-- provider that counts what was bought.

local books = require "spec.fixtures.books"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local nginx = require "starvideos.sandbox.nginx"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"
local terminals = require "spec.fixtures.terminal"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"
local RUN = LUA .. [[ -e 'os.exit(require("starvideos.cli").main(arg), true)' --]]
local BATCH = "batch scenes.jsonl -o videos --interval 0.3 --max-interval 0.3"

describe("a list of videos", function()
  local server, folder

  local function in_folder(text)
    return shell.fill([[
      cd @folder@; export STARVIDEOS_API_KEY=@key@ TERM=xterm LC_ALL=C.UTF-8
      export STARVIDEOS_BASE_URL=@url@; run=@run@
      run() { eval "$run \"\$@\""; }
      exec_run() { eval "exec $run \"\$@\""; }
      ]], { folder = folder, key = server.key, url = server.base_url,
        run = RUN .. " /dev/null" }) .. text
  end

  local function read(name)
    return files.read(folder .. "/" .. name)
  end

  -- Exit code, stdout, stderr of a shell text in which run is the program.
  local function run(text)
    local code = shell.read(in_folder("( " .. text
      .. " ) >out 2>err </dev/null; echo $?"))
    return tonumber(code), read "out", read "err"
  end

  -- How many tasks and how many POSTs with a text in their prompt arrived.
  local function arrived(text)
    local tasks, posts = 0, 0
    for _, task in ipairs(books.of(server).tasks) do
      if task.prompt:find(text, 1, true) then
        tasks, posts = tasks + 1, posts + task.posts
      end
    end
    return tasks, posts
  end

  local function scenes(count, prompt, path)
    local lines = {}
    for number = 1, count do
      lines[number] = json.encode { path = (path or "scene/%02d.mp4"):format(
        number), model = "videos", duration = 5, prompt = prompt .. " " .. number }
    end
    files.write(folder .. "/scenes.jsonl", table.concat(lines, "\n") .. "\n")
  end

  -- How many videos are there, whole.
  local function saved(count)
    local found = 0
    for number = 1, count do
      local text = read(("videos/scene/%02d.mp4"):format(number))
      found = found + (text and text:sub(5, 8) == "ftyp" and 1 or 0)
    end
    return found
  end

  setup(function()
    server = assert(nginx.start { seconds = 1, queued_seconds = 0.3,
      drawn = false })
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    folder = files.folder()
    files.write(folder .. "/prices.json",
      '{"currency":"USD","models":{"videos":{"per_second":0.4}}}')
  end)

  after_each(function()
    files.remove(folder)
  end)

  it("is ordered, saved below its folder, and not ordered again", function()
    scenes(6, "whole")
    local code, out, err = run("run " .. BATCH .. " --prices prices.json --yes"
      .. " --at-most 3 --spend 200/day --log events.jsonl")
    assert.equal(0, code, err)
    assert.equal(6, json.decode(out).done)
    assert.equal(6, saved(6))
    assert.truthy(err:find("scene/03.mp4: saved as videos/scene/03.mp4, ", 1,
      true), err)
    assert.truthy(read "events.jsonl":find('"state":"downloaded"', 1, true))
    assert.equal(0, (run("run " .. BATCH)))
    assert.same({ 6, 6 }, { arrived "whole" })
    code, out = run "run status"
    assert.equal(0, code)
    assert.equal(12, json.decode(out).spend.USD.total)
  end)

  it("is finished by a second run where the first was killed", function()
    scenes(12, "killed [scenario:create_slow=0.2]")
    local code = run("rm -f err2; exec_run " .. BATCH .. [[ --yes --at-most 4 \
      >out2 2>err2 & pid=$!; for i in $(seq 200); do
        grep -q saved err2 && break; sleep 0.05; done
      kill -KILL $pid; wait $pid]])
    assert.equal(137, code)
    assert.is_true(saved(12) < 12)
    local out, err
    code, out, err = run("run " .. BATCH .. " --yes")
    local result = json.decode(out)
    assert.equal(result.unknown > 0 and 6 or 0, code, err)
    assert.equal(12, result.done + result.unknown)
    assert.equal(result.done, saved(12))
    local tasks, posts = arrived "killed"
    assert.equal(tasks, posts)
    assert.is_true(tasks <= 12 and tasks >= result.done)
  end)

  it("is drained by SIGTERM, and goes on by the command that is told", function()
    scenes(6, "drained [scenario:takes=3]", "it's/%02d.mp4")
    local code, _, err = run("rm -f err2; exec_run " .. BATCH:gsub("videos",
      "'my videos'") .. [[ --yes >out2 2>err2 & pid=$!; for i in $(seq 200); do
        grep -q '06.mp4: ordered' err2 && break; sleep 0.05; done
      kill -TERM $pid; wait $pid; code=$?; cat err2 >&2; exit $code]])
    assert.equal(143, code, err)
    assert.truthy(err:find("6 still open, among them:\n", 1, true), err)
    assert.truthy(err:find("\n  it's/0%d.mp4: %l+\n"), err)
    local command = err:match "go on with: starvideos (work [^\n]*)"
    assert.equal("work --ledger starvideos.db -o 'my videos'", command)
    local out
    code, out, err = run("run " .. command .. " --interval 0.3")
    assert.equal(0, code, err)
    assert.equal(6, json.decode(out).done)
    assert.same({ 6, 6 }, { arrived "drained" })
  end)

  it("is worked off by several, each video once", function()
    scenes(10, "several")
    local code, _, err = run("run " .. BATCH .. [[ --yes >1 & one=$!
      until test -e starvideos.db; do sleep 0.1; done; sleep 0.2
      run work -o videos --interval 0.3 >2; b=$?
      wait $one; exit $(($? + b))]])
    assert.equal(0, code, err)
    assert.equal(10, saved(10))
    assert.same({ 10, 10 }, { arrived "several" })
    assert.equal(10, json.decode((read "1")).done)
  end)

  -- A command at a terminal, which is replayed until a text is seen.
  local function at_terminal(text, columns, rows)
    local self = { seen = terminals.new(columns, rows, true) }
    local child, descriptor = process.terminal(in_folder(text), columns, rows)
    local has_ended = false
    local function step()
      if process.readable(descriptor, 0.2) then
        local bytes = process.read(descriptor)
        has_ended = not bytes or bytes == ""
        self.rest = (self.rest or "") .. (bytes or "")
        -- only whole sequences and characters
        local whole = self.rest:match "^(.*[^\27\128-\255][^\27\128-\255]*)$"
        if has_ended or whole and not self.rest:find "\27%[?[%?%d]*$" then
          self.seen:write(self.rest)
          self.rest = ""
        end
      end
    end
    function self.await(pattern)
      local deadline = os.time() + 20
      while not table.concat(self.seen:screen(), "\n"):find(pattern) do
        assert(not has_ended and os.time() < deadline, pattern .. " is not in "
          .. self.seen:all())
        step()
      end
    end
    function self.type(keys)
      assert(process.write(descriptor, keys))
    end
    function self.resize(new_columns, new_rows)
      self.seen:resize(new_columns, new_rows)
      assert(process.resize(descriptor, new_columns, new_rows))
    end
    function self.finish()
      while not has_ended do
        step()
      end
      process.close(descriptor)
      return process.exit_code(child), self.seen:all()
    end
    return self
  end

  it("is asked about, shown and drained at a terminal", function()
    scenes(9, "shown [scenario:takes=9]", "\228\184\150\231\149\140/%02d.mp4")
    local terminal = at_terminal("exec_run " .. BATCH
      .. " --prices prices.json --at-most 4", 90, 12)
    terminal.await "^order 9 for 18.00 USD%? %[y/N%]$"
    terminal.type "y\n"
    terminal.await("0 of 9 done, 4 running, 5 queued, 8.00 USD spent\n"
      .. "  \228\184\150\231\149\140/0%d.mp4  %l+  0:%d%d\n")
    terminal.resize(40, 4)
    terminal.await "\n0 of 9 done, 4 running, 8.00 USD spent\n  [^\n]*\n  \226\128\166 and 3 more$"
    terminal.resize(60, 20)
    terminal.await "4 running[^\n]*\n  [^\n]*\n  [^\n]*\n  [^\n]*\n  [^\n]*$"
    terminal.type "\3"
    local code, text = terminal.finish()
    assert.equal(130, code, text)
    assert.truthy(text:find("\n9 still open, among them:\n", 1, true), text)
    assert.truthy(text:find("go on with: starvideos work --ledger", 1, true))
    assert.equal(1, select(2, text:gsub("4 running", "")), text)
  end)

  it("is not ordered after Ctrl-C at the question", function()
    scenes(2, "asked")
    local terminal = at_terminal("exec_run " .. BATCH, 80, 24)
    terminal.await "order 2 %(no prices given%)%?"
    terminal.type "\3"
    local code, text = terminal.finish()
    assert.equal(130, code, text)
    assert.same({ 0, 0 }, { arrived "asked" })
  end)

  it("may come from stdin while a person is asked", function()
    scenes(2, "piped")
    local terminal = at_terminal("cat scenes.jsonl | run batch - -o videos"
      .. " --interval 0.3; exit $?", 80, 24)
    terminal.await "order 2"
    terminal.type "y\n"
    local code, text = terminal.finish()
    assert.equal(0, code, text)
    assert.same({ 2, 2 }, { arrived "piped" })
    assert.truthy(text:find("2 of 2 done\n", 1, true), text)
  end)
end)
