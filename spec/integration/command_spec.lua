-- The command line as people run it: real processes, a real server.

local books = require "spec.fixtures.books"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"
local RUN = LUA .. [[ -e 'os.exit(require("starvideos.cli").main(arg), true)' --]]

describe("the command", function()
  local server, folder

  local function read(name)
    local file = io.open(folder .. "/" .. name, "rb")
    local text = file and file:read "*a"
    if file then
      file:close()
    end
    return text
  end

  -- Exit code, stdout, stderr of a shell text in which $run is the program.
  local function run(text, key)
    local code = shell.read(shell.fill([[
      cd @folder@; export STARVIDEOS_API_KEY=@key@
      export STARVIDEOS_BASE_URL=@url@; run=@run@
      run() { eval "$run \"\$@\""; }
      # exec: a signal is for the program, not for a shell before it
      exec_run() { eval "exec $run \"\$@\""; }
      ( ]] .. text .. [[ ) >out 2>err </dev/null; echo $?]], {
      folder = folder, key = key or server.key, url = server.base_url,
      run = RUN .. " /dev/null" }))
    return tonumber(code), read "out", read "err"
  end

  -- What arrived at the provider with a text in its prompt.
  local function arrived(text)
    local tasks, posts = 0, 0
    for _, task in ipairs(books.of(server).tasks) do
      if task.prompt:find(text, 1, true) then
        tasks, posts = tasks + 1, posts + task.posts
      end
    end
    return tasks, posts
  end

  setup(function()
    server = assert(nginx.start { seconds = 1, queued_seconds = 0.3,
      drawn = false })
    folder = files.folder()
  end)

  teardown(function()
    server:stop()
    shell.run("rm -rf " .. shell.quote(folder))
  end)

  it("does the whole job in one line", function()
    local code, out, err = run [[run generate --model videos --duration 5 \
      --prompt "A kitten's day: $HOME 生" --interval 0.3 -o film.mp4]]
    assert.equal(0, code, err)
    local result = json.decode(out)
    assert.equal("completed", result.status)
    assert.equal("film.mp4", result.file.path)
    assert.equal(result.file.bytes, #read "film.mp4")
    assert.truthy(err:find("ordered " .. result.id, 1, true))
  end)

  it("refuses to overwrite before anything is ordered", function()
    local code, _, err = run [[touch there.mp4; run generate --model videos \
      --duration 5 --prompt overwritten -o there.mp4]]
    assert.equal(8, code)
    assert.truthy(err:find("exists", 1, true))
    assert.truthy(err:find("nothing was ordered", 1, true))
    assert.same({ 0, 0 }, { arrived "overwritten" })
  end)

  local codes = {
    { 0, "models" }, { 0, "--help" }, { 0, "generate --help" },
    { 0, "--version" }, { 0, "sandbox --list-scenarios" },
    { 2, "frobnicate" }, { 2, "" }, { 2, "generate --model videos" },
    { 2, "create --model videos --duration 16 --prompt x" },
    { 2, "wait x --timeout soon" }, { 2, "query ''" },
    { 2, "create -m videos -d 5 -p x --validation maybe" },
    { 2, "create -m videos -d 5 -p x --base-url http://example.com" },
    { 5, "create -m videos -d 5 -p '[scenario:create_refused]'" },
    { 5, "create -m videos -d 5 -p x --base-url http://127.0.0.1:1" },
    { 6, "create -m videos -d 5 -p '[scenario:create_reset]'" },
    { 6, "create -m videos -d 5 -p '[scenario:create_502]'" },
    { 1, "generate -m videos -d 5 -p '[scenario:failed]' --interval 0.3"
      .. " -o f1.mp4" },
    { 1, "generate -m videos -d 5 -p '[scenario:expired]' --interval 0.3"
      .. " -o f5.mp4" },
    { 4, "generate -m videos -d 5 -p '[scenario:never]' --interval 0.3"
      .. " --timeout 1 -o f2.mp4" },
    { 7, "generate -m videos -d 5 -p '[scenario:media_410]' --interval 0.3"
      .. " -o f3.mp4" },
    { 8, "generate -m videos -d 5 -p x -o /nowhere/f4.mp4" },
    { 8, "models >/dev/full" },
  }
  for _, row in ipairs(codes) do
    it(("exits %d for: %s"):format(row[1], row[2]), function()
      local code, _, err = run("run " .. row[2])
      assert.equal(row[1], code, err)
    end)
  end

  it("exits 3 for a wrong key, and shows no key", function()
    local code, out, err = run("run create -m videos -d 5 -p x --verbose",
      "wrong-secret-key")
    assert.equal(3, code)
    assert.is_nil((out .. err):find("wrong-secret-key", 1, true))
  end)

  it("makes the error one JSON object on stderr", function()
    local _, out, err = run "run create --json -m videos -d 99 -p x"
    assert.equal("", out)
    local object = json.decode(err)
    assert.equal("validation", object.error.kind)
    assert.equal("out_of_range", object.error.violations[1].code)
    assert.equal("duration", object.error.violations[1].field)
  end)

  it("shows no signature of a link on stderr", function()
    local code, out, err = run [[run generate -v -m videos -d 5 -p x \
      --interval 0.3 -o signed.mp4]]
    assert.equal(0, code)
    assert.truthy(out:find("signature=", 1, true))
    assert.is_nil(err:find("signature=", 1, true))
    assert.truthy(err:find("GET", 1, true))
  end)

  it("reads the prompt from stdin and fields from JSON", function()
    local code, out = run [[printf '{"model":"videos","duration":5}' >p.json
      echo "from stdin" | run create --params p.json --prompt -]]
    assert.equal(0, code)
    assert.equal("queued", json.decode(out).status)
  end)

  it("waits by id without a pause before the first poll, and saves", function()
    local code, out, err = run [[id=$(run create -m videos -d 5 -p x |
      sed 's/.*"id":"\([^"]*\)".*/\1/'); sleep 1.2
      run wait "$id" -o waited.mp4 && run query "$id" &&
      run download "$id" -o again.mp4]]
    assert.equal(0, code, err)
    assert.equal(read "waited.mp4", read "again.mp4")
    assert.truthy(out:find('"status":"completed"', 1, true))
  end)

  it("keeps the received part of a video when the disk is full", function()
    -- 17 KiB of 19: of a write that fits in part Wine says that nothing was written,
    -- and the first one has 16.
    local code, _, err = run [[trap '' XFSZ; ulimit -f 34
      run generate -m videos -d 5 -p x --interval 0.3 -o full.mp4]]
    assert.equal(8, code, err)
    assert.is_nil(read "full.mp4")
    assert.truthy(read "full.mp4.part")
    assert.truthy(err:find("starvideos download", 1, true))
    code, _, err = run("run " .. err:match("starvideos (download %S+)")
      .. " -o full.mp4")
    assert.equal(0, code, err)
  end)

  -- Starts a command in a shell, sends it a signal once a condition holds, and
  -- exits with its code. `more` is what the shell does before it waits.
  -- What it makes must take a while: on a busy machine the signal comes late.
  local SLOWLY = "[scenario:takes=5]"
  local function struck(command, signal, condition, more)
    return run(([[rm -f err2; exec_run %s >out2 2>err2 & pid=$!
      until_so() { for i in $(seq 1200); do eval "$1" >/dev/null 2>&1 && break
        kill -0 $pid 2>/dev/null || break; sleep 0.05; done; }
      until_so '%s'; kill -%s $pid; %s
      wait $pid; code=$?; cat err2 >&2; exit $code]])
      :format(command, condition, signal, more or ":"))
  end

  -- Where the provider has an order with a text in its prompt.
  local function has_arrived(text)
    return ('curl -sS "%s" | grep "%s"'):format(
      server.base_url:gsub("/kyyReactApiServer$", "/__sandbox/tasks"), text)
  end

  for _, way in ipairs { { "Ctrl-C", "INT", 130 }, { "SIGTERM", "TERM", 143 } } do
    local name, signal, expected = way[1], way[2], way[3]

    it("says at " .. name .. " which task goes on, and exits " .. expected,
      function()
        local code, _, err = struck(
          "generate -m videos -d 5 -p '[scenario:never]' -o never.mp4", signal,
          "grep ordered err2")
        assert.equal(expected, code, err)
        local id = err:match "ordered (%S+)"
        assert.truthy(err:find("starvideos wait " .. id .. " -o never.mp4", 1,
          true), err)
        assert.is_nil(read "never.mp4.part")
      end)

    it("waits at " .. name .. " for the answer to an order that was sent",
      function()
        local code, _, err = struck(("create -m videos -d 5 "
          .. "-p 'wait-%s [scenario:create_slow=3]'"):format(signal), signal,
          has_arrived("wait-" .. signal))
        assert.equal(expected, code, err)
        assert.truthy(err:find("task video_", 1, true), err)
      end)

    it("quits at a second " .. name .. " at once", function()
      local code, _, err = struck(("create -m videos -d 5 "
        .. "-p 'quit-%s [scenario:create_slow=40]'"):format(signal), signal,
        has_arrived("quit-" .. signal),
        ([[until_so 'grep "second signal" err2'; sleep 1.2; kill -%s $pid]])
          :format(signal))
      assert.equal(expected, code, err)
      assert.truthy(err:find("a second signal quits at once", 1, true), err)
      assert.is_nil(err:find("task video_", 1, true), err)
    end)
  end

  it("takes the two SIGTERMs that timeout sends for one", function()
    local code, _, err = struck(
      "create -m videos -d 5 -p 'timeout [scenario:create_slow=3]'", "TERM",
      has_arrived "timeout", "sleep 0.2; kill -TERM $pid")
    assert.equal(143, code, err)
    assert.truthy(err:find("task video_", 1, true), err)
  end)

  it("goes on at a SIGTERM that it was told to ignore", function()
    local code, _, err = run [[trap '' TERM
      exec_run generate -m videos -d 5 -p x --interval 0.3 -o deaf.mp4 2>err2 &
      pid=$!; sleep 0.5; kill -TERM $pid; wait $pid]]
    assert.equal(0, code, err)
    assert.truthy(read "deaf.mp4")
  end)

  it("keeps a download at Ctrl-C so that it can be resumed", function()
    local code, _, err = struck(
      "generate -m videos -d 5 -p '[scenario:media_stall]' --interval 0.3"
        .. " -o slow.mp4", "INT", "test -s slow.mp4.part")
    assert.equal(130, code, err)
    assert.is_nil(read "slow.mp4")
    assert.truthy(err:find("starvideos download", 1, true), err)
  end)

  local function open_orders(ledger)
    local code, out, err = run("run pending --ledger " .. ledger)
    assert.equal(0, code, err)
    return json.decode(out).orders
  end

  it("orders one key once, however often and at the same time", function()
    local code, _, err = run [[export STARVIDEOS_LEDGER=once.db
      order() { run create -m videos -d 5 --key scene-1 \
        -p 'once [scenario:create_slow=0.5]'; }
      order >1 & order >2 & order >3 & wait; order >4
      [ "$(cat 1 2 3 4 | grep -o '"id":"[^"]*"' | sort | uniq -c |
        awk '{print $1}')" = 4 ] ]]
    assert.equal(0, code, err)
    assert.same({ 1, 1 }, { arrived "once" })
    assert.equal(1, #open_orders "once.db")
  end)

  it("orders once if two make the same file at the same time", function()
    local code, _, err = run [[make() { run generate -m videos -d 5 \
        -p 'twice [scenario:create_slow=0.5]' --interval 0.3 -o twice.mp4; }
      make & one=$!; make & two=$!
      wait $one; a=$?; wait $two; b=$?; [ $((a + b)) = 8 ] && test ! -e twice.mp4.lock]]
    assert.equal(0, code, err)
    assert.truthy(err:find("another generate is making it right now; nothing"
      .. " was ordered", 1, true), err)
    assert.same({ 1, 1 }, { arrived "twice" })
  end)

  it("makes the file of a generate that was killed", function()
    local generate = ("generate -m videos -d 5 -p 'stale %s' --interval 0.3 -o s.mp4")
      :format(SLOWLY)
    assert.equal(137, (struck(generate, "KILL", "grep ordered err2")))
    assert.truthy(read "s.mp4.lock")
    local code, _, err = run("run " .. generate)
    assert.equal(0, code, err)
    assert.is_nil(read "s.mp4.lock")
  end)

  it("calls the order of a killed process unknown, and sends it no more",
    function()
      local order = "create --ledger killed.db -m videos -d 5 --key scene-1"
        .. " -p 'killed [scenario:create_hang]'"
      assert.equal(137, (struck(order, "KILL",
        has_arrived "prompt.*killed")))
      local list = open_orders "killed.db"
      assert.equal("unknown", list[1].state)
      local code, _, err = run("run " .. order)
      assert.equal(6, code)
      assert.truthy(err:find("starvideos dismiss " .. list[1].id, 1, true),
        err)
      assert.equal(6, (run "run resume --ledger killed.db"))
      assert.same({ 1, 1 }, { arrived "killed" })
      assert.equal(0, (run("run dismiss --ledger killed.db " .. list[1].id)))
      assert.same({}, open_orders "killed.db")
    end)

  for _, again in ipairs { "generate", "resume" } do
    it("goes on by " .. again .. " after a generate was killed", function()
      local name = "killed-" .. again
      local ledger = " --interval 0.3 --ledger " .. name .. ".db"
      local generate = ("generate -m videos -d 5 -p '%s %s' --key k -o %s.mp4")
        :format(name, SLOWLY, name) .. ledger
      assert.equal(137, (struck(generate, "KILL", "grep ordered err2")))
      local code, _, err = run("run " .. (again == "generate" and generate
        or "resume" .. ledger))
      assert.equal(0, code, err)
      assert.equal("ftyp", read(name .. ".mp4"):sub(5, 8))
      assert.same({}, open_orders(name .. ".db"))
      assert.same({ 1, 1 }, { arrived(name) })
    end)
  end

  it("stops a resume at Ctrl-C, and says how to go on", function()
    run [[export STARVIDEOS_LEDGER=stopped.db
      run create -m videos -d 5 --key slow -p '[scenario:takes=12]'
      run create -m videos -d 5 --key fast -p x; sleep 1.1]]
    local code, _, err = struck("resume --ledger stopped.db", "INT",
      "test -e fast.mp4 && sleep 0.2")
    assert.equal(130, code, err)
    assert.truthy(err:find("go on with: starvideos resume --ledger stopped.db",
      1, true), err)
    local list = open_orders "stopped.db"
    assert.equal(1, #list)
    assert.equal("slow", list[1].key)
    assert.equal(4, (run "run resume --ledger stopped.db --timeout 0.3"))
    assert.equal(0, (run "run resume --ledger stopped.db --interval 0.3"))
    assert.truthy(read "slow.mp4")
  end)

  local SAME = "generate --ledger same.db -m videos -d 5 --interval 0.3"

  it("continues its order after Ctrl-C, when the command is repeated", function()
    local generate = ("%s -p 'again %s' -o again-1.mp4"):format(SAME, SLOWLY)
    assert.equal(130, (struck(generate, "INT", "grep ordered err2")))
    local code, _, err = run("run " .. generate:gsub("-o ", "-o ./"))
    assert.equal(0, code, err)
    assert.truthy(err:find("nothing was sent", 1, true), err)
    assert.equal("ftyp", read("again-1.mp4"):sub(5, 8))
    assert.same({ 1, 1 }, { arrived "again" })
    code, _, err = run("run " .. generate:gsub("again ", "other "))
    assert.equal(2, code)
    assert.truthy(err:find("--take 2", 1, true), err)
    assert.same({ 0, 0 }, { arrived "other" })
  end)

  it("orders once for two equal commands at the same time, with a ledger",
    function()
      local code, _, err = run(([[make() { run %s -o pair.mp4 \
          -p 'pair [scenario:create_slow=0.5]'; }
        make & one=$!; make & two=$!
        wait $one; a=$?; wait $two; b=$?; exit $((a + b)) ]]):format(SAME))
      assert.equal(8, code, err)
      assert.same({ 1, 1 }, { arrived "pair" })
    end)

  it("saves everything in two resumes at the same time, without an error", function()
    local code, out, err = run [[export STARVIDEOS_LEDGER=two.db
      for n in 1 2 3 4 5 6 7 8 9; do
        run create -q -m videos -d 5 --key two-$n -p two >/dev/null; done
      sleep 1.1; run resume --interval 0.3 >1 & one=$!
      run resume --interval 0.3 >2; b=$?; wait $one; cat 1 2; exit $(($? + b))]]
    assert.equal(0, code, err)
    for line in out:gmatch "[^\n]+" do
      assert.equal(0, json.decode(line).left)
    end
    assert.same({}, open_orders "two.db")
  end)

  it("drains at SIGTERM: takes the answers on the wire, and hands the rest back",
    function()
      run [[for n in 1 2 3 4 5; do printf '{"path":"drain-%s.mp4","prompt":"%s %s",%s}\n' \
        $n 'drain [scenario:create_slow=2]' $n '"model":"videos","duration":5'
        done >drain.jsonl]]
      local code, _, err = struck("batch drain.jsonl --ledger drain.db --yes"
        .. " --at-most 2", "TERM",
        "run status --ledger drain.db | grep submitting.:2")
      assert.equal(143, code, err)
      assert.truthy(err:find("go on with: starvideos work --ledger drain.db", 1,
        true), err)
      local _, out = run "run status --ledger drain.db"
      local status = json.decode(out)
      assert.same({ accepted = 2, queued = 3 }, status.states)
      assert.equal(0, #status.workers)
      code, _, err = run [[run limits --ledger drain.db --remove open
        run work --ledger drain.db --interval 0.3]]
      assert.equal(0, code, err)
      assert.same({ 5, 5 }, { arrived "drain" })
      assert.truthy(read "drain-5.mp4")
    end)

  for _, signal in ipairs { "INT", "TERM" } do
    it("runs the sandbox until SIG" .. signal .. ", and leaves no file", function()
      -- Root's nginx works as nobody, who is to reach its folder.
      local code, out, err = run(([[chmod 711 .; rm -f exports
        TMPDIR=$PWD exec_run sandbox >exports & pid=$!
        while kill -0 $pid && ! grep -q API_KEY exports; do sleep 0.05; done
        kill -0 $pid || exit 9
        . ./exports; run create -m videos -d 5 -p x; code=$?
        kill -%s $pid; wait $pid; ls -d starvideos-sandbox.* && code=1
        exit $code]]):format(signal))
      assert.equal(0, code, err)
      assert.equal("queued", json.decode(out).status)
    end)
  end
end)
