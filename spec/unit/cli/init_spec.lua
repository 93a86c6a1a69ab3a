local arguments = require "starvideos.cli.arguments"
local cli = require "starvideos.cli"
local command = require "spec.fixtures.command"
local consoles = require "starvideos.cli.console"
local core = require "starvideos.core"
local declarations = require "starvideos.cli.declarations"
local errors = require "starvideos.errors"
local failure = require "starvideos.cli.failure"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"

local run, answering = command.run, command.answering
local unpack = table.unpack or unpack

local QUEUED = '{"id":"video_1","status":"queued"}'
local RUNNING = '{"id":"video_1","status":"processing","progress":"45%"}'
local DONE = '{"id":"video_1","status":"completed","video_url":"https://m/1?s=x"}'

describe("exit codes", function()
  it("exist for every kind of error in every phase", function()
    local known = {}
    for _, row in ipairs(failure.rows) do
      known[row[2]] = true
    end
    for _, kind in ipairs(errors.kinds) do
      for _, phase in ipairs { "order", "task", "file" } do
        assert.is_true(known[failure.code({ kind = kind }, phase)],
          kind .. " in " .. phase)
      end
    end
  end)

  it("tell an order that may exist from one that does not", function()
    assert.equal(6, failure.code({ kind = "outcome_unknown" }, "order"))
    assert.equal(5, failure.code({ kind = "network" }, "order"))
    assert.equal(4, failure.code({ kind = "network" }, "task"))
    assert.equal(7, failure.code({ kind = "network" }, "file"))
  end)

  it("never say of an accepted order that nothing was sent or bought",
    function()
      local allowed = { [1] = true, [3] = true, [4] = true, [7] = true,
        [8] = true, [130] = true }
      for _, kind in ipairs(errors.kinds) do
        for _, phase in ipairs { "task", "file" } do
          for _, status in ipairs { false, 302, 400, 402, 404 } do
            local code = failure.code({ kind = kind,
              status = status or nil }, phase)
            assert.is_true(allowed[code], kind .. " in " .. phase)
          end
        end
      end
    end)
end)

-- Exit codes 2 and 5 were given for what was bought, without its id.
describe("after an accepted order the command line", function()
  local function generate(answer, ...)
    local posts, name = 0, os.tmpname()
    os.remove(name)
    local code, out, err = run({ "generate", "-m", "videos", "-p", "a kite",
      "-d", "5", "-o", name, ... }, { transport = function(req)
        posts = posts + (req.method == "POST" and 1 or 0)
        if req.method == "POST" then
          return { status = 200, headers = {}, body = QUEUED }
        end
        return answer(req)
      end })
    assert.equal(1, posts)
    os.remove(name .. ".lock")
    return code, out, err
  end

  for _, status in ipairs { 301, 302, 308, 400, 402, 404, 405, 409, 410, 413,
    422, 451 } do
    it("says what to do after a poll that was answered HTTP " .. status,
      function()
        local code, out, err = generate(function()
          return { status = status, headers = {}, body = "{}" }
        end, "-q")
        assert.equal(4, code, err)
        assert.equal("", out)
        assert.truthy(err:find("stopped waiting for task video_1: ", 1, true))
        assert.truthy(err:find("the task stays bought", 1, true), err)
        assert.truthy(err:find("\ngo on with: starvideos wait video_1 -o ", 1,
          true), err)
      end)
  end

  it("gives programs the id, and no word of a refused order", function()
    local code, _, err = generate(function()
      return { status = 402, headers = {}, body = '{"msg":"no balance"}' }
    end, "--json", "-q")
    assert.equal(4, code)
    local problem = json.decode(err).error
    assert.equal("video_1", problem.task_id)
    assert.is_nil(err:find("nothing was", 1, true), err)
  end)

  it("says that a refused key does not touch the task", function()
    local code, _, err = generate(function()
      return { status = 401, headers = {}, body = "{}" }
    end, "-q")
    assert.equal(3, code)
    assert.truthy(err:find("the task stays bought", 1, true), err)
    assert.truthy(err:find("starvideos wait video_1", 1, true), err)
  end)

  for what, link in pairs { ["http elsewhere"] = "http://m.example/1",
    relative = "/videos/1", ["with a blank"] = "https://m/a b",
    ["with a user's name"] = "https://me@m/1", unreachable = "https://m/1" } do
    it("says that the video is not saved where its link is " .. what,
      function()
        local code, _, err = generate(function(req)
          if req.url:find("/result/", 1, true) then
            return { status = 200, headers = {}, body = json.encode {
              id = "video_1", status = "completed", video_url = link } }
          end
          return nil, { reason = what == "unreachable" and "connect"
            or "invalid", sent = false, message = "not this link" }
        end, "-q")
        assert.equal(7, code, err)
        assert.truthy(err:find("\ngo on with: starvideos download video_1 -o ",
          1, true), err)
      end)
  end

  it("knows the phase of a key that was completed before", function()
    local folder = files.folder()
    finally(function() files.remove(folder) end)
    local words = { "generate", "-m", "videos", "-p", "a kite", "-d", "5", "-o",
      folder .. "/a.mp4", "--ledger", folder .. "/l.db" }
    for run_number = 1, 2 do
      local code, _, err = run(words, { transport = function(req)
        if req.method == "POST" then
          assert.equal(1, run_number)
          return { status = 200, headers = {}, body = DONE }
        elseif req.url:find("/result/", 1, true) then
          return { status = 200, headers = {}, body = DONE }
        end
        return nil, { reason = "connect", sent = false }
      end })
      assert.equal(7, code, err)
    end
  end)
end)

describe("a line of progress", function()
  it("shows status, share, bar and time", function()
    assert.equal("processing   45%  [#########...........]  0:42",
      consoles.progress_line("processing", 0.45, 42, 80))
  end)

  it("leaves out what is unknown", function()
    assert.equal("queued", consoles.progress_line("queued", nil, nil, 80))
    assert.equal("queued  61:01", consoles.progress_line("queued", nil, 3661,
      80))
  end)

  it("fits every width, and shows as much as there is room for", function()
    for width = 1, 60 do
      local line = consoles.progress_line("processing", 0.5, 42, width)
      assert.is_true(#line < math.max(2, width), line)
    end
    for width, wanted in pairs {
      [43] = "processing   50%  [########........]  0:42",
      [30] = "processing   50%  0:42", [20] = "processing 50% 0:42",
      [19] = "processing 50%", [12] = "processing", [6] = "proce" } do
      local line = consoles.progress_line("processing", 0.5, 42, width)
      assert.equal(wanted, line)
    end
    assert.equal("12 processing", consoles.progress_line("12 processing", nil,
      42, 18))
  end)

  it("cuts no character in two", function()
    assert.equal("a\230\142\146", consoles.progress_line(
      "a\230\142\146\233\152\159", nil, nil, 6))
  end)

  it("caps a share above 1", function()
    assert.truthy(consoles.progress_line("x", 7, nil, 80):find("100%%"))
  end)
end)

describe("the command line", function()
  it("prints its help and its version", function()
    local code, out = run { "--help" }
    assert.equal(0, code)
    assert.truthy(out:find("130  interrupted", 1, true))
    code, out = run { "generate", "-h" }
    assert.equal(0, code)
    assert.truthy(out:find("--reference-image", 1, true))
    code, out = run { "--version" }
    assert.equal(0, code)
    assert.truthy(out:find("starvideos %d"))
  end)

  it("exits with 130 after a Ctrl-C while it loads", function()
    local loaded = package.loaded.argparse
    package.loaded.argparse = nil
    package.preload.argparse = function() error("interrupted!", 0) end
    local code, _, err = run { "validate", "-m", "videos" }
    package.preload.argparse, package.loaded.argparse = nil, loaded
    assert.equal(130, code)
    assert.equal("starvideos: interrupted; nothing was sent\n", err)
  end)

  it("tells programs what keeps a file from being written", function()
    local name = os.tmpname()
    local code, _, err = run { "generate", "-m", "videos", "-p", "a kite", "-d",
      "5", "-o", name, "--json" }
    os.remove(name)
    assert.equal(8, code)
    assert.equal("exists", json.decode(err).error.target)
  end)

  it("sends what its options say, and nothing else", function()
    local transport, sent = answering(QUEUED)
    local code, out = run({ "create", "-m", "videos", "-p", "a kite", "-d",
      "5", "--ratio", "1:1", "--reference-image", "https://a/1",
      "--reference-image", "https://a/2", "--param", "resolution=720p" },
      { transport = transport })
    assert.equal(0, code)
    assert.equal("video_1", json.decode(out).id)
    assert.same({ model = "videos", prompt = "a kite", duration = 5,
      ratio = "1:1", resolution = "720p",
      referenceImages = { "https://a/1", "https://a/2" } },
      json.decode(sent[1].body))
  end)

  it("has an option for every field of the catalog", function()
    local words, wanted, found = { "create", "--validation", "off" }, {}, {}
    for _, row in ipairs(declarations.field_options()) do
      words[#words + 1] = row[1]:match "%-%-%S+"
      words[#words + 1] = row[1]:find "model" and "videos" or "7"
    end
    for _, field in ipairs(core.fields()) do
      wanted[field.name] = not field.renamed or nil
    end
    local transport, sent = answering(QUEUED)
    assert.equal(0, run(words, { transport = transport }))
    for name in pairs(json.decode(sent[1].body)) do
      found[name] = true
    end
    assert.same(wanted, found)
  end)

  it("prints the id beside a number or field that JSON cannot hold", function()
    for _, field in ipairs { '"progress":1e999', '"created":-1e999',
      '"model":{"x":1e999}', '"object":[1e999]', '"actualDuration":1e999' } do
      local transport = answering('{"id":"video_1","status":"queued",' .. field
        .. "}")
      local code, out = run({ "create", "-m", "videos", "-p", "a kite", "-d",
        "5" }, { transport = transport })
      assert.equal(0, code)
      assert.equal("video_1", json.decode(out).id)
    end
  end)

  it("reads JSON and the prompt from stdin", function()
    local transport, sent = answering(QUEUED)
    run({ "create", "--prompt", "-", "-m", "videos", "-d", "5" },
      { transport = transport, stdin = "two\nlines\n" })
    assert.equal("two\nlines", json.decode(sent[1].body).prompt)
    run({ "create", "--params", "-" }, { transport = transport,
      stdin = '{"model":"videos","prompt":"b","duration":6}' })
    assert.equal(6, json.decode(sent[2].body).duration)
  end)

  it("prices an order that it checks", function()
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    local file = assert(io.open(name, "wb"))
    file:write '{"currency":"EUR","models":{"videos":{"per_second":0.3}}}'
    file:close()
    local words = { "validate", "-m", "videos", "-p", "x", "-d", "5" }
    local _, out = run(words)
    assert.same({ valid = true, mode = "text" }, json.decode(out))
    words[8], words[9] = "--prices", name
    local code
    code, out = run(words)
    assert.equal(0, code)
    assert.same({ valid = true, mode = "text", cost = 1.5, currency = "EUR" },
      json.decode(out))
  end)

  it("reports an unknown option in JSON with --json", function()
    local code, out, err = run { "create", "--promt", "x", "--json" }
    assert.equal(2, code)
    assert.equal("", out)
    local object = json.decode(err).error
    assert.equal("validation", object.kind)
    assert.truthy(object.message:find("--promt", 1, true))
  end)

  it("names the help of the command", function()
    for line, wanted in pairs { ["create --promt x -- --json"] = "create ",
      frobnicate = "" } do
      local list = {}
      for word in line:gmatch "%S+" do
        list[#list + 1] = word
      end
      local _, _, err = run(list)
      assert.truthy(err:find("\nsee starvideos " .. wanted .. "--help\n", 1,
        true), err)
    end
  end)

  it("lists the sandbox's faults for programs too", function()
    local code, out = run { "sandbox", "--list-scenarios", "--json" }
    assert.equal(0, code)
    local first = json.decode(out).scenarios[1]
    assert.truthy(first.name and first.place and first.what)
  end)

  it("names every violation in a line of its own", function()
    local code, out, err = run { "validate", "-m", "videos", "-d", "99" }
    assert.equal(2, code)
    assert.equal("", out)
    assert.truthy(err:find("\n  prompt ", 1, true))
    assert.truthy(err:find("\n  duration ", 1, true))
  end)

  local wrong = {
    { "generate", "-m", "videos", "-p", "x", "-d", "5" },
    { "create", "--param", "novalue" }, { "create", "--params", "/nowhere" },
    { "create", "-p", "a", "--prompt-file", "b" },
    { "wait", "x", "--interval", "0" }, { "wait", "x", "--timeout", "nan" },
    { "wait" }, { "download", "x" }, { "create", "--edition", "other" },
    { "create", "--unheard" }, { "sandbox", "--scenario", "unheard" },
    { "sandbox", "--port", "x" },
  }
  for _, words in ipairs(wrong) do
    it("refuses: " .. table.concat(words, " "), function()
      local code, _, err = run(words)
      assert.equal(2, code)
      assert.truthy(err:find("^starvideos: "))
    end)
  end

  -- An unset variable of a shell: one paid without a ledger, one crashed.
  it("refuses empty values of every option and argument", function()
    for _, row in ipairs(arguments.commands) do
      for _, group in ipairs { row[5], unpack(row[4]) } do
        for _, option in ipairs(group) do
          local word = option[3] and option[1]:match "%-%-%S+"
          for _, value in ipairs(word and { "", " " } or {}) do
            local words = { row[1], unpack(row[3]) }
            words[#words + 1] = word
            words[#words + 1] = value
            local code, _, err = run(words)
            assert.equal(2, code)
            assert.truthy(err:find("starvideos: " .. word .. " is empty", 1,
              true), err)
          end
        end
      end
    end
    local code, _, err = run { "wait", "" }
    assert.equal(2, code)
    assert.truthy(err:find("ID is empty", 1, true))
  end)

  it("does not call a crash a task that failed", function()
    local function crash()
      error("out of order")
    end
    local code, _, err = run({ "query", "video_1" }, { transport = crash })
    assert.equal(2, code)
    assert.truthy(err:find("out of order (nothing was ordered)", 1, true), err)
    code, _, err = run({ "create", "-m", "videos", "-p", "x", "-d", "5" },
      { transport = crash })
    assert.equal(6, code)
    assert.truthy(err:find("may have been sent", 1, true), err)
  end)

  it("does not say that nothing was sent where the provider refused",
    function()
      local transport = function()
        return { status = 302, headers = {}, body = "" }
      end
      local order = { "create", "-m", "videos", "-p", "x", "-d", "5" }
      assert.equal(5, (run(order, { transport = transport })))
      assert.equal(2, (run { "create", "-m", "videos", "-p", "x", "-d", "5",
        "--base-url", "http://example.com" }))
    end)

  it("waits with progress, and prints the task", function()
    local code, out, err = run({ "wait", "video_1" },
      { transport = (answering(QUEUED, RUNNING, DONE)) })
    assert.equal(0, code)
    assert.equal("completed", json.decode(out).status)
    assert.truthy(err:find("queued\nprocessing\n", 1, true), err)
  end)

  -- A minute of silence looked like a program that hangs.
  it("says that it is ordering, and why that takes longer", function()
    local order = { "create", "-m", "videos", "-p", "x", "-d", "5" }
    local answers = { { status = 429, headers = {}, body = "" },
      { status = 200, headers = {}, body = QUEUED } }
    local host = { terminal = true, transport = function()
      return table.remove(answers, 1)
    end }
    local code, _, err = run(order, host)
    assert.equal(0, code)
    assert.truthy(err:find("^\rordering%.%.%.\rordering: too many requests\r"),
      err)
    answers = { { status = 200, headers = {}, body = QUEUED } }
    host.terminal = false
    code, _, err = run(order, host)
    assert.equal(0, code)
    assert.equal("", err)
  end)

  it("draws one line on a terminal and erases it", function()
    local _, _, err = run({ "wait", "video_1" }, { terminal = true,
      transport = (answering(RUNNING, DONE)) })
    assert.truthy(err:find("\rprocessing   45%", 1, true))
    assert.is_nil(err:find("\n", 1, true))
    assert.truthy(err:find("\r +\r$"))
  end)

  -- The rows that a terminal of so many columns shows of a text.
  local function rows_of(text, columns)
    local rows, column = 1, 0
    for character in text:gmatch "." do
      if character == "\r" then
        column = 0
      elseif column == columns then
        rows, column = rows + 1, 1
      else
        column = column + 1
      end
    end
    return rows
  end

  it("stays in its line when the window becomes narrower", function()
    local columns, bodies = 80, {}
    for count = 1, 9 do
      bodies[count] = count < 6 and RUNNING or QUEUED
    end
    bodies[10] = DONE
    local narrow
    local _, _, err = run({ "wait", "video_1" }, { terminal = true,
      transport = (answering(unpack(bodies))),
      size = function() return columns end,
      sleep = function()
        if not narrow then
          narrow, columns = true, 24
        end
        return true
      end })
    assert.equal(1, rows_of(err:match "\r.-\r(.*)", 24), err)
  end)

  it("prints no control characters of a status", function()
    local odd = '{"id":"video_1","status":"x\\u001b[2J\\n"}'
    local _, _, err = run({ "wait", "video_1" }, { terminal = true,
      transport = (answering(odd, DONE)) })
    assert.truthy(err:find("x\\u001b[2J\\u000a", 1, true), err)
    assert.is_nil(err:find("\27", 1, true))
  end)

  it("shows for how long no answer has come", function()
    local LOST = { reason = "reset", sent = true }
    local _, _, err = run({ "wait", "video_1" },
      { transport = (answering(RUNNING, LOST, LOST, RUNNING, DONE)) })
    assert.truthy(err:find("^processing\nno answer since 0:%d%d, retrying\n"
      .. "processing\n"), err)
  end)

  -- It looked busy for two minutes and a half.
  it("says at once that the provider does not know an id", function()
    local code, _, err = run({ "wait", "TYPO" }, { transport = function()
      return { status = 404, headers = {}, body = '{"msg":"not found"}' }
    end })
    assert.equal(4, code)
    assert.truthy(err:find("^the provider does not know the task TYPO %(yet%)"),
      err)
    assert.equal(1, select(2, err:gsub("%(yet%)", "")))
    assert.truthy(err:find("if the id is right, the task stays bought", 1, true))
  end)

  it("is quiet when asked to be", function()
    local _, _, err = run({ "wait", "video_1", "-q" },
      { transport = (answering(RUNNING, DONE)) })
    assert.equal("", err)
  end)

  it("says how to go on after a time-out", function()
    local code, _, err = run({ "wait", "video_1", "--timeout", "90", "-o",
      "my film.mp4" }, { transport = (answering(RUNNING)) })
    assert.equal(4, code)
    local quoted = core.system() == "windows" and '"my film.mp4"' or "'my film.mp4'"
    assert.truthy(err:find("starvideos wait video_1 -o " .. quoted, 1, true), err)
  end)

  it("goes on with the same provider, key file and certificates", function()
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    local file = assert(io.open(name, "wb"))
    file:write("sk-1\n")
    file:close()
    local line = (" --base-url https://a.example --api-key-file %s --ca-file"
      .. " /c.pem --insecure-http"):format(name)
    local words = { "wait", "video_1", "--timeout", "90", "-o", "f.mp4", "-f" }
    for word in line:gmatch "%S+" do
      words[#words + 1] = word
    end
    local _, _, err = run(words, { transport = (answering(RUNNING)) })
    assert.truthy(err:find("go on with: starvideos wait video_1" .. line
      .. " -o f.mp4 --overwrite\n", 1, true), err)
    assert.is_nil(err:find("sk-1", 1, true))
  end)

  it("advises to wait for a task that is not ready", function()
    local code, _, err = run({ "download", "video_1", "-o", "f.mp4" },
      { transport = (answering(RUNNING)) })
    assert.equal(4, code)
    assert.truthy(err:find("go on with: starvideos wait video_1 -o f.mp4\n", 1,
      true), err)
  end)

  it("advises --overwrite or another file if the file exists", function()
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    local code, _, err = run({ "download", "video_1", "-o", name },
      { transport = (answering(DONE)) })
    assert.equal(8, code)
    assert.truthy(err:find(("to replace it: starvideos download video_1 -o %s"
      .. " --overwrite\n"):format(name), 1, true), err)
    _, _, err = run { "generate", "-m", "videos", "-p", "x", "-d", "5", "-o",
      name }
    assert.truthy(err:find("; nothing was ordered\n"
      .. "to replace it: the same command with --overwrite\n", 1, true), err)
    _, _, err = run({ "download", "video_1", "-o", "/nowhere/f.mp4" },
      { transport = (answering(DONE)) })
    assert.truthy(err:find("go on with: starvideos download video_1 -o FILE\n",
      1, true), err)
  end)

  it("makes errors JSON, the last line the error", function()
    local code, _, err = run({ "wait", "video_1", "--json" },
      { transport = (answering('{"id":"video_1","status":"failed",'
        .. '"error":"too dark"}')) })
    assert.equal(1, code)
    local object = json.decode(err:match("([^\n]+)\n$")).error
    assert.equal("task_failed", object.kind)
    assert.equal("too dark", object.message)
    assert.equal("video_1", object.task_id)
  end)

  it("calls a lost answer to an order unknown", function()
    local code = run({ "create", "-m", "videos", "-p", "x", "-d", "5" },
      { transport = (answering { reason = "reset", sent = true }) })
    assert.equal(6, code)
  end)

  it("shows neither key nor signature when verbose", function()
    local _, out, err = run({ "wait", "video_1", "-v" },
      { key = "sk-very-secret", transport = (answering(RUNNING, DONE)) })
    assert.truthy(err:find("GET https://", 1, true))
    assert.is_nil((out .. err):find("sk-very-secret", 1, true))
    assert.is_nil(err:find("s=x", 1, true))
  end)

  it("exits with 8 if stdout cannot be written", function()
    local code, _, err = run({ "models" }, { full = true })
    assert.equal(8, code)
    assert.truthy(err:find("No space left", 1, true))
  end)

  it("lists models for people and for programs", function()
    local _, out = run { "models" }
    assert.equal(5, #json.decode(out).models)
    _, out = run({ "models" }, { terminal = true })
    assert.truthy(out:find("videos_stable_fast", 1, true))
  end)

  local function with_key_file(text, transport)
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    files.write(name, text)
    return run({ "query", "video_1", "--api-key-file", name },
      { transport = transport })
  end

  for what, text in pairs {
    ["a line without an end"] = "sk-of=the+file", ["a line"] = "sk-of=the+file\n",
    ["further lines"] = "sk-of=the+file\r\nmade by Ann, for all\n",
    ["a byte order mark"] = "\239\187\191sk-of=the+file\r\n",
    ["blank lines and a note before it"] = "\n \t\r\n# ours\nsk-of=the+file",
    ["blanks around it"] = " sk-of=the+file \t\n",
    ["quotes"] = '"sk-of=the+file"\n', ["single quotes"] = "'sk-of=the+file'",
    ["a scheme"] = "Bearer sk-of=the+file\n",
    ["a header"] = "Authorization: bearer  sk-of=the+file\n",
    ["a name"] = "STARVIDEOS_API_KEY=sk-of=the+file\n",
    ["another name"] = "API_KEY = 'sk-of=the+file'\n",
    ["an environment"] = "A=b\nexport STARVIDEOS_API_KEY=\"sk-of=the+file\"\nC=d",
    ["old line ends of macOS"] = "sk-of=the+file\rmore",
  } do
    it("takes the key out of a file with " .. what, function()
      local transport, sent = answering(RUNNING)
      local code, _, err = with_key_file(text, transport)
      assert.equal(0, code, err)
      assert.equal("Bearer sk-of=the+file", sent[1].headers.Authorization)
    end)
  end

  for what, row in pairs {
    ["nothing"] = { " \r\n\n", "holds no key" },
    ["a mark alone"] = { "\239\187\191", "holds no key" },
    ["notes alone"] = { "# later\n", "holds no key" },
    ["UTF-16"] = { "\255\254s\0e\0c\0r\0e\0t\0", "one in UTF-16" },
    ["UTF-16 without a mark"] = { "\0s\0e\0c\0r\0e\0t", "one in UTF-16" },
    ["other names"] = { "A=secret\nB=secret\n", "has several lines" },
    ["two words"] = { "secret secret\n", "holds more than a key" },
    ["one quote"] = { '"secret\n', "holds more than a key" },
    ["quotes of a typesetter"] = { "“secret”\n", "holds more than a key" },
    ["JSON"] = { '{"key":"secret"}', "holds more than a key" },
    ["a page"] = { "<html>secret", "holds more than a key" },
    ["an escape sequence"] = { "secret\27[31m", "holds more than a key" },
  } do
    it("refuses a key file with " .. what .. ", and shows none of it", function()
      local code, _, err = with_key_file(row[1])
      assert.equal(8, code)
      assert.truthy(err:find(row[2], 1, true), err)
      assert.is_nil(err:find("secret", 1, true))
    end)
  end

  for key, problem in pairs { ['"secret"'] = "a quote", ["Bearer secret"] = "Bearer",
    ["“secret”"] = "beyond ASCII", ["secret\n"] = "line break" } do
    it("refuses the key of the environment for " .. problem, function()
      local code, _, err = run({ "query", "video_1" }, { key = key })
      assert.equal(2, code)
      assert.truthy(err:find(problem, 1, true), err)
      assert.is_nil(err:find("secret", 1, true))
    end)
  end

  it("skips a byte order mark before parameters and before a prompt", function()
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    files.write(name, '\239\187\191{"model":"videos","duration":5}')
    for _, words in ipairs { { "--prompt-file", "-" }, { "--prompt", "-" } } do
      local transport, sent = answering(RUNNING)
      local code, _, err = run({ "create", "--params", name, words[1], words[2] },
        { transport = transport, stdin = "\239\187\191a kite\r\n" })
      assert.equal(0, code, err)
      assert.equal("a kite", json.decode(sent[1].body).prompt)
    end
  end)

  it("names a key file that is missing", function()
    local code, _, err = run { "query", "x", "--api-key-file", "/nowhere" }
    assert.equal(8, code)
    assert.truthy(err:find("/nowhere", 1, true))
  end)
end)

describe("the streams of a person", function()
  local real, typed, shown

  local function stand_in(name, fn)
    real[name] = core[name]
    core[name] = fn
  end

  before_each(function()
    real, shown = {}, {}
    stand_in("system", function() return "windows" end)
    stand_in("is_terminal", function() return true end)
    stand_in("read_terminal", function()
      return table.remove(typed, 1)
    end)
    stand_in("write_terminal", function(descriptor, text)
      shown[#shown + 1] = descriptor .. text
      return true
    end)
  end)

  after_each(function()
    for name, fn in pairs(real) do
      core[name] = fn
    end
  end)

  it("are waited for until a line has ended, or there will be none", function()
    local looks, answers = 0, { [3] = "yes", [4] = false }
    core.read_terminal = function()
      looks = looks + 1
      return answers[looks]
    end
    assert.equal("yes", cli.read_line())
    assert.equal(3, looks)
    assert.is_nil(cli.read_line())
  end)

  it("go past the C library at a console", function()
    typed = { "生", "ö", false }
    assert.equal("生\nö\n", cli.input(io.stdin):read "*a")
    local stream = cli.output(2, io.stderr)
    assert.equal(stream, stream:write("é", "1", "\n"))
    assert.is_true(stream:flush())
    assert.same({ "2é1\n" }, shown)
  end)

  it("say why a console takes nothing", function()
    core.write_terminal = function() return nil, "gone" end
    local ok, why = cli.output(1, io.stdout):write "x"
    assert.is_not.truthy(ok)
    assert.equal("gone", why)
  end)

  it("are the C library's in a pipe, and elsewhere", function()
    core.is_terminal = function() return false end
    assert.equal(io.stdin, cli.input(io.stdin))
    assert.equal(io.stdout, cli.output(1, io.stdout))
    core.is_terminal, core.system = real.is_terminal, function()
      return "posix"
    end
    assert.equal(io.stderr, cli.output(2, io.stderr))
  end)
end)
