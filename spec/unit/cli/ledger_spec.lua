-- What a ledger adds to the command line, in simulated time.

local clip = require "spec.fixtures.clip"
local command = require "spec.fixtures.command"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local starvideos = require "starvideos"

local run, answering = command.run, command.answering

local QUEUED = '{"id":"video_1","status":"queued"}'

describe("the command line with a ledger", function()
  local folder, ledger

  before_each(function()
    folder = files.folder()
    ledger = folder .. "/videos.db"
  end)

  after_each(function()
    files.remove(folder)
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
        local body = clip.mp4()
        return { status = 200, body = body,
          headers = { ["content-length"] = tostring(#body) } }
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

  it("says that a saved video was not ordered a second time", function()
    local generate = { "generate", "-m", "videos", "-p", "a kite", "-d", "5",
      "--ledger", ledger, "--key", "k", "-o", folder .. "/k.mp4" }
    local code, _, err = run(generate, { transport = provider() })
    assert.equal(0, code, err)
    assert.truthy(err:find("ordered video_1\n", 1, true), err)
    local out
    code, out, err = run(generate)
    assert.equal(0, code, err)
    assert.equal("video_1", json.decode(out).id)
    assert.equal(("already saved as %s/k.mp4; nothing was ordered\n"):format(
      folder), err)
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

  it("refuses a key that is no name, and a take of nothing", function()
    for _, key in ipairs { "", " ", "a\nb" } do
      assert.equal(2, run(with("--key", key)))
    end
    for _, take in ipairs { "0", "1.5", "two" } do
      assert.equal(2, run(with("--key", "k", "--take", take)))
    end
    local code, _, err = run(with("--take", "2"))
    assert.equal(2, code)
    assert.truthy(err:find("--take needs --key", 1, true))
  end)

  local function lost_order(...)
    local code, _, err = run(with(...), { transport = (answering(LOST)) })
    assert.equal(6, code)
    return pending()[1], err
  end

  it("says what to do about an order of unknown outcome", function()
    local order, err = lost_order("--key", "k")
    assert.equal("unknown", order.state)
    for _, wanted in ipairs { order.id .. ", key k",
      ("starvideos adopt %s TASK --ledger %s"):format(order.id, ledger),
      "with --take 2",
      ("starvideos dismiss %s --ledger %s"):format(order.id, ledger) } do
      assert.truthy(err:find(wanted, 1, true), wanted .. " is not in " .. err)
    end
    local code, _, again = run(with("--key", "k"))
    assert.equal(6, code)
    assert.truthy(again:find("dismiss " .. order.id, 1, true))
  end)

  it("shows no password of a ledger", function()
    local advice = require "starvideos.cli.next_steps"
    for _, address in ipairs { "postgres://me:s3cr3t@db/videos",
      "postgresql://me@db/videos?password=s3cr3t" } do
      local lines = advice.of({ options = { ledger = address } },
        { kind = "outcome_unknown", order = { id = "1", key = "k" } })
      local text = table.concat(lines, "\n")
      assert.truthy(text:find("://me@db/videos", 1, true), text)
      assert.is_nil(text:find("s3cr3t", 1, true))
    end
  end)

  it("offers no take of an order without a key", function()
    local order, err = lost_order()
    assert.is_nil(err:find("--take", 1, true), err)
    assert.truthy(err:find("dismiss " .. order.id, 1, true))
  end)

  it("says how a bought task comes to be on record after an outage", function()
    local advice = require "starvideos.cli.next_steps"
    local lines = advice.of({ options = { ledger = "v.db", output = "k.mp4",
      command = "generate", account = "a b" } }, { kind = "ledger", task_id = "video_1",
      order = { id = "1f" } })
    local quoted = core.system() == "windows" and '"a b"' or "'a b'"
    assert.same({ "as soon as the ledger answers: starvideos adopt 1f video_1"
      .. " --ledger v.db --account " .. quoted, "until then: starvideos wait video_1"
      .. " --ledger v.db --account " .. quoted .. " -o k.mp4" }, lines)
  end)

  it("takes a word for a task's id where the ledger cannot be read", function()
    local code, out, err = run({ "query", "video_1", "--ledger", folder },
      { transport = provider() })
    assert.equal(0, code)
    assert.equal("video_1", json.decode(out).id)
    assert.truthy(err:find("; video_1 is taken for the id of a task\n", 1,
      true), err)
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

  it("orders another take of an unknown one, once", function()
    lost_order("--key", "k")
    for _, transport in ipairs { (answering(QUEUED)), (answering(LOST)) } do
      local code, out = run(with("--key", "k", "--take", "2"),
        { transport = transport })
      assert.equal(0, code)
      assert.equal("video_1", json.decode(out).id)
    end
  end)

  it("advises no take that is spent", function()
    lost_order("--key", "k")
    lost_order("--key", "k", "--take", "2")
    for _, line in ipairs { with("--key", "k"),
      with("--key", "k", "--take", "3") } do
      local code, _, err = run(line, { transport = (answering(LOST)) })
      assert.equal(6, code)
      local free = line[#line] == "3" and 4 or 3
      assert.truthy(err:find("ordered it, with --take " .. free, 1, true), err)
    end
    local _, _, err = run(with("--key", "k", "--json"))
    assert.equal(4, json.decode(err).error.next_take)
    _, _, err = run { "wait", "k", "--ledger", ledger }
    assert.truthy(err:find("with a further --take", 1, true), err)
  end)

  it("tells the orders of a key apart in lists and in what it saves", function()
    for take = 1, 2 do
      run(with("--key", "k", "--account", "mine", "--take", tostring(take)),
        { transport = (answering(QUEUED:gsub("video_1", "video_" .. take))) })
    end
    local _, list = run({ "pending", "--ledger", ledger }, { terminal = true })
    assert.truthy(list:find("k, account mine", 1, true), list)
    assert.truthy(list:find("k, take 2, account mine", 1, true), list)
    local _, out, err = run({ "resume", "--ledger", ledger, "-o", folder })
    assert.truthy(err:find("k, take 2, account mine: ledger: order k is"
      .. " accepted: it is of the account mine, and this client is of no account",
      1, true), err)
    assert.equal(2, json.decode(out).orders[2].take)
  end)

  it("dismisses an order by its id, and by its key and take", function()
    for take, field in ipairs { "id", "key", "key" } do
      local order = lost_order("--key", "k", "--take", tostring(take))
      local code, out = run { "dismiss", order[field], "--ledger", ledger,
        "--take", tostring(take) }
      assert.equal(0, code)
      assert.equal("abandoned", json.decode(out).state)
      assert.same({}, (pending()))
    end
    local code = run { "dismiss", "nothing", "--ledger", ledger }
    assert.equal(5, code)
  end)

  it("says how to tell whose an order is, and then orders as that account",
    function()
      run(with("--key", "k"), { transport = (answering(QUEUED)) })
      local code, _, err = run(with("--key", "k", "--account", "mine"))
      assert.equal(2, code)
      local said = err:match "starvideos (label %S+) ACCOUNT"
      assert.is_string(said, err)
      local label = words({}, said:match "%S+", said:match "%S+$", "mine",
        "--ledger", ledger)
      local out
      code, out = run(label)
      assert.equal(0, code)
      assert.equal("mine", json.decode(out).account)
      code, out = run(with("--key", "k", "--account", "mine"))
      assert.equal(0, code)
      assert.equal("video_1", json.decode(out).id)
    end)

  it("buys nothing again when the account of a key is left out", function()
    run(with("--key", "k", "--account", "mine"),
      { transport = (answering(QUEUED)) })
    for take = 1, 2 do
      local code, _, err = run(with("--key", "k", "--take", tostring(take)))
      assert.equal(2, code)
      assert.truthy(err:find("is of the account mine", 1, true), err)
      assert.truthy(err:find("--account NAME", 1, true), err)
    end
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
    local code, _, err = run(with("--key", "k"))
    assert.equal(1, code, err)
    assert.truthy(err:find("--take 2", 1, true))
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
    assert.truthy(err:find("b saved as " .. folder .. "/b.mp4, 32 bytes", 1,
      true), err)
    code, result = resume()
    assert.equal(0, code)
    assert.equal(0, result.done)
  end)

  it("exits with the most severe code, and names each order", function()
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

  for _, status in ipairs { 403, 404, 410 } do
    it("exits 7 where links are answered " .. status .. ", and has none failed",
      function()
        ordered "a"
        local whole = provider()
        local code, out = run({ "resume", "--ledger", ledger, "-o", folder,
          "--json" }, { transport = function(req)
            if req.url:find("/result/", 1, true) then
              return whole(req)
            end
            return { status = status, headers = {}, body = "" }
          end })
        local result = json.decode(out)
        assert.equal(7, code)
        assert.same({ 0, 1 }, { result.failed, result.left })
        assert.equal(1, select(2, resume()).done)
      end)
  end

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

  it("says once what to do about many orders of unknown outcome", function()
    lost_order("--key", "a")
    lost_order("--key", "b")
    local code, _, err = resume()
    assert.equal(6, code)
    assert.truthy(err:find("starvideos: a: outcome_unknown", 1, true))
    assert.truthy(err:find("starvideos: b: outcome_unknown", 1, true))
    assert.equal(1, select(2, err:gsub("starvideos dismiss ORDER", "")))
  end)

  it("shows since when the provider does not know a task", function()
    ordered "a"
    local known = provider()
    local function forgetful(req)
      if req.url:find("/result/", 1, true) then
        return { status = 404, headers = {}, body = "" }
      end
      return known(req)
    end
    local code, _, err = run({ "resume", "--ledger", ledger, "-o", folder,
      "--timeout", "900" }, { transport = forgetful })
    assert.equal(4, code, err) -- it was bought
    assert.truthy(pending()[1].missing_since)
    local _, out = run({ "pending", "--ledger", ledger }, { terminal = true })
    assert.truthy(out:find "\nmissing +%x+ +video_1 +a\n")
    assert.equal(0, (resume(nil, "--missing")))
  end)

  it("lists with --all what nothing is to be done about", function()
    ordered("a", "b")
    resume { video_2 = "failed" }
    assert.same({}, (pending()))
    local _, out = run { "pending", "--all", "--ledger", ledger }
    local states = {}
    for _, order in ipairs(json.decode(out).orders) do
      states[order.key] = order.state
    end
    assert.same({ a = "downloaded", b = "failed" }, states)
    _, out = run({ "pending", "-a", "--ledger", ledger }, { terminal = true })
    assert.truthy(out:find "\ndownloaded +%x+ +video_1 +a\n")
    assert.truthy(out:find "\nfailed +%x+ +video_2 +b\n")
  end)

  it("knows an order by its key, its id and its task", function()
    ordered("a")
    assert.equal(0, (run(with("--key", "a", "--take", "2"), { transport =
      (answering '{"id":"video_2","status":"queued"}') })))
    local id = pending()[1].id
    for word, wanted in pairs { a = "video_1", [id] = "video_1",
      video_1 = "video_1", video_9 = "video_9", ["a --take 2"] = "video_2" } do
      for _, line in ipairs { "query " .. word, "wait " .. word,
        "download -f -o " .. folder .. "/x.mp4 " .. word } do
        local list = { "--ledger", ledger }
        for part in line:gmatch "%S+" do
          table.insert(list, #list - 1, part)
        end
        local asked
        local known = provider()
        local code, _, err = run(list, { transport = function(req)
          asked = req.url:match "/result/(.+)$" or asked
          return known(req)
        end })
        assert.same({ 0, wanted }, { code, asked }, line .. ": " .. err)
      end
    end
    local code, _, err = run { "wait", "a", "--take", "3", "--ledger", ledger }
    assert.equal(5, code)
    assert.truthy(err:find("no order a, take 3", 1, true), err)
  end)

  it("knows an order by its file, as one would type it", function()
    run(with("-o", "spec/kite.mp4"), { transport = provider() })
    local code, out, err = run({ "query", "./spec/kite.mp4", "--ledger",
      ledger }, { transport = provider() })
    assert.equal(0, code, err)
    assert.equal("video_1", json.decode(out).id)
    code, out = run { "dismiss", "-f", "spec/kite.mp4", "--ledger", ledger }
    assert.equal(0, code)
    assert.equal("abandoned", json.decode(out).state)
    code, out, err = run { "dismiss", "kite.mp4", "--ledger", ledger }
    assert.same({ 5, "" }, { code, out })
    assert.truthy(err:find("holds no order kite.mp4\n", 1, true), err)
  end)

  it("does not wait for an order that has no task", function()
    local order = lost_order("--key", "k")
    local code, _, err = run { "wait", "k", "--ledger", ledger }
    assert.equal(6, code)
    assert.truthy(err:find("starvideos adopt " .. order.id, 1, true), err)
  end)

  it("overwrites only when told to", function()
    ordered "a"
    assert(io.open(folder .. "/a.mp4", "wb")):close()
    local code, _, err = resume()
    assert.equal(8, code)
    assert.truthy(err:find("to save it elsewhere: starvideos download video_1"
      .. " --ledger " .. ledger .. " -o FILE\n", 1, true), err)
    assert.equal(0, (resume(nil, "--overwrite")))
  end)

  it("names a folder that is missing before it sends anything", function()
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
