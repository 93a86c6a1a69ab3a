local command = require "spec.fixtures.command"
local console = require "starvideos.cli.console"
local errors = require "starvideos.errors"
local exit = require "starvideos.cli.exit"
local json = require "starvideos.json"

local run, answering = command.run, command.answering

local QUEUED = '{"id":"video_1","status":"queued"}'
local RUNNING = '{"id":"video_1","status":"processing","progress":"45%"}'
local DONE = '{"id":"video_1","status":"completed","video_url":"https://m/1?s=x"}'

describe("exit codes", function()
  it("exist for every kind of error in every phase", function()
    local known = {}
    for _, row in ipairs(exit.meaning) do
      known[row[1]] = true
    end
    for _, kind in ipairs(errors.kinds) do
      for _, phase in ipairs { "order", "task", "file" } do
        assert.is_true(known[exit.code({ kind = kind }, phase)],
          kind .. " in " .. phase)
      end
    end
  end)

  it("tell an order that may exist from one that does not", function()
    assert.equal(6, exit.code({ kind = "outcome_unknown" }, "order"))
    assert.equal(5, exit.code({ kind = "network" }, "order"))
    assert.equal(4, exit.code({ kind = "network" }, "task"))
    assert.equal(7, exit.code({ kind = "network" }, "file"))
  end)
end)

describe("a line of progress", function()
  it("shows status, share, bar and time", function()
    assert.equal("processing   45%  [#########...........]  0:42",
      console.progress_line("processing", 0.45, 42, 80))
  end)

  it("does without what is not known", function()
    assert.equal("queued", console.progress_line("queued", nil, nil, 80))
    assert.equal("queued  61:01", console.progress_line("queued", nil, 3661,
      80))
  end)

  it("stays within the terminal", function()
    assert.equal(39, #console.progress_line("processing", 0.5, 42, 40))
  end)

  it("bears a share beyond its bounds", function()
    assert.truthy(console.progress_line("x", 7, nil, 80):find("100%%"))
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

  it("loses no id over a number or a field that cannot be written", function()
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

  it("waits with progress, and prints the task", function()
    local code, out, err = run({ "wait", "video_1" },
      { transport = (answering(QUEUED, RUNNING, DONE)) })
    assert.equal(0, code)
    assert.equal("completed", json.decode(out).status)
    assert.truthy(err:find("queued\nprocessing\n", 1, true), err)
  end)

  it("draws on a terminal in one line and takes it away", function()
    local _, _, err = run({ "wait", "video_1" }, { terminal = true,
      transport = (answering(RUNNING, DONE)) })
    assert.truthy(err:find("\rprocessing   45%", 1, true))
    assert.is_nil(err:find("\n", 1, true))
    assert.truthy(err:find("\r +\r$"))
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
    assert.truthy(err:find("starvideos wait video_1 -o 'my film.mp4'", 1,
      true), err)
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

  it("does not call a result written that was not", function()
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

  it("takes the first line of a key file", function()
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    for _, text in ipairs { "sk-of-the-file", "sk-of-the-file\n",
      "sk-of-the-file\r\nno key\n" } do
      local file = assert(io.open(name, "wb"))
      file:write(text)
      file:close()
      local transport, sent = answering(RUNNING)
      local code, _, err = run({ "query", "video_1", "--api-key-file", name },
        { transport = transport })
      assert.equal(0, code, err)
      assert.equal("Bearer sk-of-the-file", sent[1].headers.Authorization)
    end
  end)

  it("names a key file that is missing", function()
    local code, _, err = run { "query", "x", "--api-key-file", "/nowhere" }
    assert.equal(8, code)
    assert.truthy(err:find("/nowhere", 1, true))
  end)
end)
