-- What a ledger adds to the command line, in simulated time.

local command = require "spec.fixtures.command"
local json = require "starvideos.json"
local shell = require "starvideos.sandbox.shell"
local starvideos = require "starvideos"

local run, answering = command.run, command.answering

local QUEUED = '{"id":"video_1","status":"queued"}'

describe("the command line with a ledger", function()
  local folder, ledger

  before_each(function()
    folder = shell.read 'mktemp -d "${TMPDIR:-/tmp}/starvideos-spec.XXXXXX"'
    ledger = folder .. "/videos.db"
  end)

  after_each(function()
    os.execute("rm -rf " .. shell.quote(folder))
  end)

  local ORDER = { "create", "-m", "videos", "-p", "a kite", "-d", "5" }
  local LOST = { reason = "reset", sent = true, phase = "answer" }

  local function words(base, ...)
    local all = {}
    for _, list in ipairs { base, { ... } } do
      for _, word in ipairs(list) do
        all[#all + 1] = word
      end
    end
    return all
  end

  local function with(...)
    return words(ORDER, "--ledger", ledger, ...)
  end

  -- A provider that knows its tasks by number, and media of a few bytes.
  local function provider(statuses)
    local made = 0
    return function(req)
      if req.method == "POST" then
        made = made + 1
        return { status = 200, headers = {}, body =
          ('{"id":"video_%d","status":"queued"}'):format(made) }
      end
      local id = req.url:match "/result/(.+)$"
      if not id then
        local clip = "\0\0\0\16ftypisom\0\0\0\0"
        return { status = 200, body = clip,
          headers = { ["content-length"] = tostring(#clip) } }
      end
      local status = statuses and statuses[id] or "completed"
      return { status = 200, headers = {}, body = json.encode { id = id,
        status = status, video_url = status == "completed"
          and "https://m/" .. id .. "?s=secret" or nil,
        error = status == "failed" and "too dark" or nil } }
    end
  end

  local function pending()
    local code, out = run({ "pending", "--ledger", ledger })
    assert.equal(0, code)
    return json.decode(out).orders, out
  end

  it("shows an empty ledger as an empty list", function()
    local _, out = pending()
    assert.equal('{"orders":[]}\n', out)
    local code
    code, out = run({ "resume", "--ledger", ledger, "-o", folder })
    assert.equal(0, code)
    assert.equal('{"done":0,"failed":0,"left":0,"orders":[]}\n', out)
  end)

  it("lists more open orders than a page holds", function()
    local client = assert(starvideos.new { api_key = "key-of-the-spec",
      ledger = ledger, transport = provider() })
    local params = { model = "videos", prompt = "a kite", duration = 5 }
    local wanted, found = {}, {}
    for number = 1, 1001 do
      wanted[number] = assert(client:create(params)).id
    end
    client:close()
    for number, order in ipairs((pending())) do
      found[number] = order.task_id
    end
    table.sort(wanted)
    table.sort(found)
    assert.same(wanted, found)
  end)

  it("sends nothing for a key that has its task", function()
    local transport, sent = answering(QUEUED)
    local _, first, told = run(with("--key", "k"), { transport = transport })
    assert.equal("", told)
    local code, second
    code, second, told = run(with("--key", "k"), { transport = transport })
    assert.equal("task video_1 was ordered before; nothing was sent\n", told)
    assert.equal(0, code)
    assert.equal("video_1", json.decode(second).id)
    assert.equal(json.decode(first).id, json.decode(second).id)
    assert.equal(1, #sent)
  end)

  it("takes the ledger from the environment, unless it is empty", function()
    local transport, sent = answering(QUEUED)
    local world = { transport = transport, ledger = ledger }
    run(words(ORDER, "--key", "k"), world)
    run(words(ORDER, "--key", "k"), world)
    assert.equal(1, #sent)
    local code = run({ "pending" }, { ledger = "" })
    assert.equal(2, code)
  end)

  it("shows both orders of one key, and calls neither against a limit",
    function()
      run(with("--key", "k"), { transport = (answering(QUEUED)) })
      local code, _, err = run(words({ "create", "-m", "videos", "-p",
        "a kitten", "-d", "5" }, "--ledger", ledger, "--key", "k"))
      assert.equal(2, code)
      assert.truthy(err:find("the key is taken; nothing was sent", 1, true))
      assert.truthy(err:find("a kite", 1, true))
      assert.truthy(err:find("a kitten", 1, true))
      assert.is_nil(err:find("limits", 1, true))
    end)

  local needing = {
    { "pending" }, { "resume" }, { "dismiss", "x" }, { "adopt", "x", "y" },
    words(ORDER, "--key", "k"), words(ORDER, "-o", "x.mp4"),
    { "generate", "-m", "videos", "-p", "x", "-d", "5", "-o", "x.mp4",
      "--key", "k" },
  }
  for _, line in ipairs(needing) do
    it("asks for a ledger: " .. table.concat(line, " "), function()
      local code, _, err = run(line)
      assert.equal(2, code)
      assert.truthy(err:find("needs a ledger: pass --ledger FILE or set"
        .. " STARVIDEOS_LEDGER", 1, true), err)
    end)
  end

  it("refuses a key that is no name, and a resubmit of nothing", function()
    for _, key in ipairs { "", " ", "a\nb" } do
      assert.equal(2, run(with("--key", key)))
    end
    local code, _, err = run(with "--resubmit")
    assert.equal(2, code)
    assert.truthy(err:find("--resubmit needs --key", 1, true))
  end)

  local function lost_order(...)
    local code, _, err = run(with(...), { transport = (answering(LOST)) })
    assert.equal(6, code)
    return pending()[1], err
  end

  it("says what to do about an order of unknown fate", function()
    local order, err = lost_order("--key", "k")
    assert.equal("unknown", order.state)
    for _, wanted in ipairs { order.id .. ", key k",
      ("starvideos adopt %s TASK --ledger %s"):format(order.id, ledger),
      "with --resubmit",
      ("starvideos dismiss %s --ledger %s"):format(order.id, ledger) } do
      assert.truthy(err:find(wanted, 1, true), wanted .. " is not in " .. err)
    end
    local code, _, again = run(with("--key", "k"))
    assert.equal(6, code)
    assert.truthy(again:find("dismiss " .. order.id, 1, true))
  end)

  it("shows no password of a ledger", function()
    local advice = require "starvideos.cli.advice"
    for _, address in ipairs { "postgres://me:s3cr3t@db/videos",
      "postgresql://me@db/videos?password=s3cr3t" } do
      local lines = advice.of({ options = { ledger = address } },
        { kind = "outcome_unknown", order = { id = "1", key = "k" } })
      local text = table.concat(lines, "\n")
      assert.truthy(text:find("://me@db/videos", 1, true), text)
      assert.is_nil(text:find("s3cr3t", 1, true))
    end
  end)

  it("offers no resubmit for an order without a key", function()
    local order, err = lost_order()
    assert.is_nil(err:find("resubmit", 1, true), err)
    assert.truthy(err:find("dismiss " .. order.id, 1, true))
  end)

  it("makes the unknown order part of the error's JSON", function()
    local _, err = lost_order("--key", "k", "--json")
    local object = json.decode(err).error
    assert.equal("outcome_unknown", object.kind)
    assert.equal("answer", object.phase)
    assert.equal("k", object.order.key)
    assert.equal("unknown", object.order.state)
    assert.equal("a kite", object.order.params.prompt)
  end)

  it("orders an unknown one anew with --resubmit", function()
    lost_order("--key", "k")
    local code, out = run(with("--key", "k", "--resubmit"),
      { transport = (answering(QUEUED)) })
    assert.equal(0, code)
    assert.equal("video_1", json.decode(out).id)
  end)

  it("dismisses an order by its id and by its key", function()
    for _, word in ipairs { "id", "key" } do
      local order = lost_order("--key", "k")
      local code, out = run { "dismiss", order[word], "--ledger", ledger }
      assert.equal(0, code)
      assert.equal("abandoned", json.decode(out).state)
      assert.same({}, (pending()))
    end
    local code = run { "dismiss", "nothing", "--ledger", ledger }
    assert.equal(5, code)
  end)

  it("adopts the task of an unknown order, and resumes it", function()
    local order = lost_order("--key", "k")
    local code, out, err = run({ "adopt", "k", "video_7", "--ledger", ledger },
      { transport = provider() })
    assert.equal(0, code, err)
    assert.equal("video_7", json.decode(out).task_id)
    assert.equal(order.id, json.decode(out).id)
    code, out, err = run({ "resume", "--ledger", ledger, "-o", folder },
      { transport = provider() })
    assert.equal(0, code, err)
    assert.equal(folder .. "/k.mp4", json.decode(out).orders[1].file.path)
  end)

  it("tells of a task that failed under its key, and how to go on", function()
    run(with("--key", "k"), { transport = provider() })
    run({ "wait", "video_1", "--ledger", ledger },
      { transport = provider { video_1 = "failed" } })
    local code, out, err = run(with("--key", "k"))
    assert.equal(1, code, err)
    assert.equal("failed", json.decode(out).status)
    assert.truthy(err:find("--resubmit", 1, true))
  end)

  -- An order for each key; the tasks are video_1, video_2 ... in this order.
  local function ordered(...)
    local transport = provider()
    for _, key in ipairs { ... } do
      assert.equal(0, run(with("--key", key), { transport = transport }))
    end
  end

  local function resume(statuses, ...)
    local code, out, err = run(words({ "resume", "--ledger", ledger, "-o",
      folder, "--timeout", "100" }, ...), { transport = provider(statuses) })
    return code, out ~= "" and json.decode(out), err
  end

  local function of_key(result, key)
    for _, row in ipairs(result.orders) do
      if row.key == key then
        return row
      end
    end
  end

  it("resumes all that is open, and is done", function()
    ordered("a", "b")
    local code, result, err = resume()
    assert.equal(0, code, err)
    assert.equal(2, result.done)
    assert.equal(folder .. "/a.mp4", of_key(result, "a").file.path)
    assert.truthy(err:find("b saved as " .. folder .. "/b.mp4, 16 bytes", 1,
      true), err)
    code, result = resume()
    assert.equal(0, code)
    assert.equal(0, result.done)
  end)

  it("exits with what is worst, and names each order", function()
    ordered("a", "b", "c")
    local code, result, err = resume { video_1 = "failed",
      video_2 = "processing" }
    assert.equal(1, code, err)
    assert.same({ 1, 1, 1 }, { result.done, result.failed, result.left })
    assert.truthy(err:find("starvideos: a: task_failed: too dark\n", 1, true))
    assert.truthy(err:find("starvideos: b: timeout: ", 1, true))
    assert.truthy(err:find("1 saved, 1 failed, 1 left", 1, true))
    assert.truthy(err:find(("go on with: starvideos resume --ledger %s -o %s")
      :format(ledger, folder), 1, true))
    code, result = resume { video_2 = "processing" }
    assert.equal(4, code)
    assert.equal("timeout", result.orders[1].error.kind)
    lost_order("--key", "d")
    code, result, err = resume()
    assert.equal(6, code)
    assert.same({ 1, 0, 1 }, { result.done, result.failed, result.left })
    assert.is_nil(of_key(result, "d").error.order)
    assert.truthy(err:find("starvideos adopt", 1, true))
    assert.is_nil(err:find("go on with", 1, true))
  end)

  it("exits 7 where a link stays dead", function()
    ordered "a"
    local whole = provider()
    local code = run({ "resume", "--ledger", ledger, "-o", folder }, {
      transport = function(req)
        if req.url:find("/result/", 1, true) then
          return whole(req)
        end
        return { status = 410, headers = {}, body = "" }
      end })
    assert.equal(7, code)
  end)

  it("names in JSON too the order that an error is about", function()
    ordered "a"
    lost_order("--key", "b")
    local code, _, err = resume({ video_1 = "failed" }, "--json")
    assert.equal(6, code)
    local kinds = {}
    for line in err:gmatch "[^\n]+" do
      local object = json.decode(line)
      kinds[object.order or "all"] = object.error.kind
    end
    assert.same({ a = "task_failed", b = "outcome_unknown",
      all = "outcome_unknown" }, kinds)
  end)

  it("says once what to do about many orders of unknown fate", function()
    lost_order("--key", "a")
    lost_order("--key", "b")
    local code, _, err = resume()
    assert.equal(6, code)
    assert.truthy(err:find("starvideos: a: outcome_unknown", 1, true))
    assert.truthy(err:find("starvideos: b: outcome_unknown", 1, true))
    assert.equal(1, select(2, err:gsub("starvideos dismiss ORDER", "")))
  end)

  it("overwrites only when told to", function()
    ordered "a"
    assert(io.open(folder .. "/a.mp4", "wb")):close()
    assert.equal(8, (resume()))
    assert.equal(0, (resume(nil, "--overwrite")))
  end)

  it("names a folder that is missing before it asks anybody", function()
    ordered "a"
    local code, _, err = run { "resume", "--ledger", ledger, "-o",
      folder .. "/none" }
    assert.equal(8, code)
    assert.truthy(err:find("/none", 1, true))
  end)

  it("counts what it waits for in one line on a terminal", function()
    ordered("a", "b")
    local _, _, err = run({ "resume", "--ledger", ledger, "-o", folder,
      "--timeout", "100" }, { terminal = true,
      transport = provider { video_1 = "processing" } })
    assert.truthy(err:find("\r1 processing, 1 saved", 1, true), err)
  end)

  it("says how to go on when interrupted", function()
    ordered("a", "b")
    local code, out, err = run({ "resume", "--ledger", ledger, "-o", folder },
      { transport = provider { video_1 = "processing" },
        sleep = function(seconds)
          return seconds < 1 or error("interrupted!", 0)
        end })
    assert.equal(130, code)
    assert.equal(1, json.decode(out).done)
    assert.truthy(err:find(("go on with: starvideos resume --ledger %s -o %s")
      :format(ledger, folder), 1, true), err)
    assert.equal("a", pending()[1].key)
  end)

  it("shows no signature of a link, in no order and no error", function()
    local secret = "https://media.example/i.png?signature=s3cr3t"
    run(with("--key", "k", "--reference-image", secret),
      { transport = (answering(LOST)) })
    local _, out = pending()
    local _, result, err = resume()
    assert.truthy(out:find("https://media.example/i.png", 1, true))
    assert.is_nil((out .. json.encode(result) .. err):find("s3cr3t", 1, true))
  end)
end)
