-- What ends a command from outside: a terminal that is closed, a reader that is
-- gone, a file that may not grow, a descriptor that was never open. Real processes,
-- a real server that counts what arrives.

local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local LUA = require "spec.fixtures.interpreter"
local json = require "starvideos.base.json"
local nginx = require "starvideos.sandbox.nginx"
local shell = require "starvideos.nginx.shell"

local RUN = "bin/starvideos"
local ORDER = " -m videos -d 5 -p '@name@ x'"
local SLOW = " -m videos -d 5 -p '@name@ [scenario:create_slow=4]'"

-- Before a spec gives up waiting for a process.
local LONG_SECONDS = 60

describe("a command", function()
  local server, folder

  setup(function()
    server = assert(nginx.start { seconds = 0.4, queued_seconds = 0.1,
      drawn = false })
    folder = files.folder()
  end)

  teardown(function()
    server:stop()
    files.remove(folder)
  end)

  local function read(name)
    return files.read(folder .. "/" .. name) or ""
  end

  local function fill(text, name)
    return (text:gsub("@name@", name))
  end

  -- Runs a shell text in which `starvideos` is the command; its exit code.
  local function run(text)
    return tonumber((shell.read(shell.fill([[cd @folder@ || exit
      export STARVIDEOS_API_KEY=@key@ STARVIDEOS_BASE_URL=@url@
      starvideos() { @lua@ @run@ "$@"; }
      start() { exec @lua@ @run@ "$@"; }
      ( ]] .. text .. [[ ) >out 2>err </dev/null; echo $?]], {
      folder = folder, key = server.key, url = server.base_url, lua = LUA,
      run = shell.read "pwd" .. "/" .. RUN })))), read "out", read "err"
  end

  -- The tasks that arrived with a name in their prompt, and how many POSTs.
  local function arrived(name)
    local ids, posts = {}, 0
    for _, task in ipairs(books.of(server).tasks) do
      if task.prompt:find(name .. " ", 1, true) then
        ids[#ids + 1], posts = task.id, posts + task.posts
      end
    end
    return ids, posts
  end

  local function await(condition)
    local until_then = core.now() + LONG_SECONDS
    repeat
      local value = condition()
      if value then
        return value
      end
      core.sleep(0.02)
    until core.now() > until_then
    error "that took too long"
  end

  -- Every order that arrived was ordered once, and is told or in the ledger.
  local function assert_known(name, told, ledger, count)
    local ids, posts = arrived(name)
    assert.same({ count or 1, count or 1 }, { #ids, posts }, name)
    local orders
    if ledger then
      local code, out = run("starvideos pending --all --json --ledger " .. ledger)
      assert.equal(0, code)
      orders = out
      for _, order in ipairs(json.decode(orders).orders) do
        assert.not_equal("unknown", order.state, name)
      end
    end
    for _, id in ipairs(ids) do
      assert.truthy((orders or told):find(id, 1, true), name .. ": "
        .. tostring(told))
    end
  end

  -- The first order of a list is answered while the others are on the wire.
  local function list(name, count)
    local lines = {}
    for index = 1, count do
      lines[index] = json.encode { model = "videos", duration = 5,
        prompt = ("%s %d%s"):format(name, index, index > 1
          and " [scenario:create_slow=4]" or ""),
        path = name .. index .. ".mp4" }
    end
    files.write(folder .. "/" .. name .. ".jsonl", table.concat(lines, "\n"))
  end

  local BATCH = "batch @name@.jsonl --yes --ledger @name@.db --interval 0.3"
  -- Commands that buy: how many orders, and whether into a ledger.
  local buyers = {
    { "create", "create" .. SLOW, 1 },
    { "create-ledger", "create --ledger @name@.db" .. SLOW, 1, true },
    { "generate", "generate -o @name@.mp4 --interval 0.3" .. SLOW, 1 },
    { "generate-ledger", "generate --ledger @name@.db -o @name@.mp4 --interval 0.3"
      .. SLOW, 1,
      true },
    { "batch", BATCH, 2, true },
  }

  local function begin(name, command, before)
    list(name, 2)
    run(fill([[{ ( ]] .. (before or ":") .. [[; sh -c 'echo $PPID' >@name@.pid
      start ]] .. command .. [[ ) >@name@.out 2>@name@.err
      echo $? >@name@.code; } >/dev/null 2>&1 &]], name))
  end

  local function finish(name)
    return tonumber(await(function()
      return read(name .. ".code"):match "^(%d+)\n"
    end)), read(name .. ".out") .. read(name .. ".err")
  end

  -- Signals all commands once their orders are on the wire. They end with `code`,
  -- and no order is lost.
  local function strike(jobs, signal, code)
    for _, job in ipairs(jobs) do
      begin(job.name, job.command, job.before)
    end
    await(function()
      for _, job in ipairs(jobs) do
        if #arrived(job.name) < job.count then
          return false
        end
      end
      return true
    end)
    for _, job in ipairs(jobs) do
      shell.run(("kill -%s %s"):format(job.signal or signal,
        read(job.name .. ".pid")))
    end
    for _, job in ipairs(jobs) do
      local ended, told = finish(job.name)
      assert.equal(code, ended, job.name .. ": " .. told)
      assert_known(job.name, told, job.ledger and job.name .. ".db", job.count)
    end
  end

  local function all_buyers(signal)
    local jobs = {}
    for index, row in ipairs(buyers) do
      jobs[index] = { name = row[1] .. signal, command = row[2], count = row[3],
        ledger = row[4] }
    end
    return jobs
  end

  for _, signal in ipairs { "HUP", "TERM" } do
    it("takes the answer at SIG" .. signal .. ", and ends with 143", function()
      strike(all_buyers(signal), signal, 143)
    end)
  end

  it("goes on at signals that were ignored at its start, and at those that a"
    .. " write raises", function()
    local jobs = {}
    for _, signal in ipairs { "HUP", "TERM", "PIPE", "XFSZ", "QUIT" } do
      jobs[#jobs + 1] = { name = "deaf" .. signal, signal = signal,
        command = "create" .. SLOW, count = 1, before = "trap '' " .. signal }
    end
    for _, signal in ipairs { "PIPE", "XFSZ" } do
      jobs[#jobs + 1] = { name = "sent" .. signal, signal = signal,
        command = "create" .. SLOW, count = 1 }
    end
    strike(jobs, nil, 0)
  end)

  it("stays at a second SIGHUP until the answer is there", function()
    begin("twice", "create" .. SLOW)
    await(function() return #arrived "twice" == 1 end)
    shell.run(("kill -HUP %d; sleep 1.1; kill -HUP %d"):format(read "twice.pid",
      read "twice.pid"))
    local code, told = finish "twice"
    assert.equal(143, code, told)
    assert_known("twice", told)
  end)

  it("says at SIGHUP how to go on with what it waits for", function()
    files.write(folder .. "/never.jsonl", json.encode { model = "videos",
      duration = 5, prompt = "never [scenario:never]", path = "never.mp4" })
    local commands = { { "batch", "batch never.jsonl --yes --interval 0.2" },
      { "work", "work --interval 0.2" }, { "resume", "resume --interval 0.2" },
      { "wait", "wait never.mp4 --interval 0.2" } }
    for _, row in ipairs(commands) do
      local name = "never-" .. row[1]
      begin(name, row[2] .. " --ledger never.db")
      await(function()
        return read(name .. ".err"):find "processing"
      end)
      shell.run("kill -HUP " .. read(name .. ".pid"))
      local code, told = finish(name)
      assert.equal(143, code, name .. told)
      assert.truthy(told:find("go on with: starvideos ", 1, true), name .. told)
    end
    assert_known("never", "", "never.db")
  end)

  local redirections = { stdout = "2>@name@.told", stderr = "2>&1 >@name@.told" }

  -- Runs a command whose stdout, or stderr, nobody reads: `true` ends at once.
  local function start_unread(name, what, command)
    list(name, 2)
    return run(fill([[{ { starvideos ]] .. command .. " " .. redirections[what]
      .. [[; echo $? >@name@.code; } | true; } >/dev/null 2>&1 &]], name))
  end

  local function finish_unread(name)
    return finish(name), read(name .. ".told")
  end

  local function unread(name, what, command)
    start_unread(name, what, command)
    return finish_unread(name)
  end

  for what, words in pairs { stderr = "nobody reads its messages any more",
    stdout = "cannot write the result: " } do
    it("ends with 8, and tells the id, where nobody reads " .. what, function()
      for _, buyer in ipairs(buyers) do
        start_unread(buyer[1] .. what, what, buyer[2]
          .. (what == "stderr" and " --verbose" or ""))
      end
      for _, buyer in ipairs(buyers) do
        local name, count = buyer[1] .. what, buyer[3]
        local code, told = finish_unread(name)
        assert.equal(8, code, name .. ": " .. told)
        -- A batch says what it orders before it does.
        count = buyer[1] == "batch" and what == "stderr" and 0 or count
        assert_known(name, told, buyer[4] and name .. ".db", count)
        assert.truthy(told:find(words, 1, true), told)
      end
    end)
  end

  it("drains a batch whose reader leaves after the first line", function()
    list("leaves", 3)
    run [[{ starvideos batch leaves.jsonl --yes --ledger leaves.db \
      --interval 0.3 2>&1; echo $? >code; } | head -n 1]]
    assert.equal("8\n", read "code")
    assert_known("leaves", "", "leaves.db", #arrived "leaves")
  end)

  it("that only lists ends silently where nobody reads on", function()
    for index, command in ipairs { "models", "--help", "manual", "batch --help",
      "orders --ledger leaves.db", "completion bash", "status --ledger leaves.db",
      "sandbox --list-scenarios", "pending --all --ledger leaves.db" } do
      local code, told = unread("list" .. index, "stdout", command)
      assert.same({ 8, "" }, { code, told }, command)
    end
  end)

  it("waits and downloads where nobody reads the result", function()
    local _, out = run("starvideos create" .. fill(ORDER, "seen"))
    local id = json.decode(out).id
    local code, told = unread("wait1", "stdout", "wait --interval 0.3 " .. id)
    assert.equal(8, code)
    assert.truthy(told:find("starvideos query " .. id, 1, true), told)
    code, told = unread("wait2", "stdout", "download -o seen.mp4 " .. id)
    assert.equal(8, code)
    assert.truthy(told:find("is saved as seen.mp4", 1, true), told)
    assert.equal("ftyp", read("seen.mp4"):sub(5, 8))
    code, told = unread("wait3", "stderr", "wait --verbose --interval 0.3 " .. id)
    assert.equal(8, code)
    assert.truthy(told:find(id, 1, true), told)
  end)

  -- Descriptors that are missing, and what is left to be told on.
  local missing = {
    { "<&-", 0 }, { ">&-", 8 }, { "<&- >&-", 8 }, { "2>&-", 0 },
    { "<&- 2>&-", 0 }, { "<&- >&- 2>&-", 8 }, { ">/dev/full", 8 },
    { "2>/dev/full", 0 }, { "--json >&-", 8 },
  }
  for what, command in pairs { create = "create --ledger @name@.db --verbose" .. ORDER,
    generate = "generate --interval 0.3 --ledger @name@.db -o @name@.mp4" .. ORDER,
    batch = BATCH } do
    it("puts nothing into a connection where descriptors are missing: " .. what,
      function()
        for index, row in ipairs(missing) do
          begin(what .. index, command .. " " .. row[1])
        end
        for index, row in ipairs(missing) do
          local name = what .. index
          local code, told = finish(name)
          assert.equal(row[2], code, name .. row[1] .. told)
          assert_known(name, told, name .. ".db", what == "batch" and 2 or 1)
          local id = arrived(name)[1]
          assert.equal(what ~= "batch" and not row[1]:find(">&- 2>&-", 1, true),
            what ~= "batch" and told:find(id, 1, true) ~= nil, row[1] .. told)
          if what == "generate" then
            assert.equal("ftyp", read(name .. ".mp4"):sub(5, 8))
          end
        end
      end)
  end

  it("reads no list and no prompt from a stdin that is not there", function()
    for _, command in ipairs { "batch - --yes", "batch - --dry-run",
      "create -m videos -d 5 -p -", "create --params -" } do
      local code, _, err = run("starvideos " .. command .. " <&-")
      assert.truthy(code == 8 or code == 2, command .. ": " .. code)
      assert.truthy(err:find("Bad file descriptor", 1, true), err)
    end
  end)

  -- A file that may not grow beyond 4 KiB, without anybody who ignores SIGXFSZ.
  local SMALL = "(ulimit -f 8; start "

  it("keeps the received part where no file may grow that much", function()
    local code, _, err = run(SMALL .. "generate -m videos -d 5 -p 'limit x'"
      .. " --interval 0.3 -o limit.mp4)")
    assert.equal(8, code, err)
    assert.truthy(err:find("File too large", 1, true), err)
    assert.truthy(err:find("starvideos download", 1, true), err)
    assert.equal("ftyp", read("limit.mp4.part"):sub(5, 8))
  end)

  it("sends nothing where the ledger may not grow", function()
    for _, command in ipairs { "create --ledger small.db --key k",
      "generate --ledger small.db -o small.mp4" } do
      local code, _, err = run(SMALL .. command .. fill(ORDER, "small") .. ")")
      assert.equal(8, code, err)
      assert.truthy(err:find "ledger", err)
    end
    list("small", 1)
    assert.equal(8, (run(SMALL .. fill(BATCH, "small") .. ")")))
    assert.same({}, (arrived "small"))
  end)

  it("goes on without a log that may not grow", function()
    local code, _, err = run(SMALL .. "create --log grown" .. fill(ORDER, "log")
      .. ")")
    assert.equal(0, code, err)
    files.write(folder .. "/grown", ("x"):rep(8192))
    local out
    code, out, err = run(SMALL .. "create --log grown" .. fill(ORDER, "grown")
      .. ")")
    assert.equal(0, code, err)
    assert.truthy(err:find("cannot be written", 1, true), err)
    assert_known("grown", out)
  end)

  it("tells the id on stderr where the file of stdout may not grow", function()
    files.write(folder .. "/result", ("x"):rep(8192))
    run("{ (ulimit -f 8; start create" .. fill(ORDER, "append")
      .. " 2>&1 >>result); echo $? >code; } | cat >told")
    assert.equal("8\n", read "code")
    assert_known("append", read "told")
  end)

  it("starts programs that SIGPIPE and SIGXFSZ end as usual", function()
    local out = shell.read(shell.fill([[@lua@ -e '
      require("starvideos.core").begin_termination()
      print(io.popen "cat /proc/self/status":read "*a")']], { lua = LUA }))
    for _, field in ipairs { "SigIgn", "SigCgt", "SigBlk" } do
      local digits = out:match(field .. ":%s+%x+(%x%x%x%x%x%x%x%x)\n")
      local bits = tonumber(digits, 16)
      for _, number in ipairs { 1, 13, 15, 25 } do
        assert.equal(0, math.floor(bits / 2 ^ (number - 1)) % 2, field)
      end
    end
  end)
end)
