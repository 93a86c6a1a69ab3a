-- Lists of videos from the command line, in simulated time.

local boards = require "starvideos.cli.progress_view"
local clip = require "spec.fixtures.clip"
local command = require "spec.fixtures.command"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local monitors = require "starvideos.cli.monitor"
local shell = require "starvideos.nginx.shell"

local CLIP = clip.mp4()

describe("batch", function()
  local folder, ledger, posts

  before_each(function()
    folder, posts = files.folder(), 0
    ledger = folder .. "/videos.db"
  end)

  after_each(function()
    files.remove(folder)
  end)

  -- A provider whose tasks are completed at once, but where a prompt says what
  -- becomes of it.
  local function provider()
    local prompts = {}
    return function(req)
      if req.method == "POST" then
        posts = posts + 1
        local prompt = json.decode(req.body).prompt
        prompts["video_" .. posts] = prompt
        if prompt == "lost" then
          return nil, { reason = "reset", sent = true }
        elseif prompt == "unpaid" then
          return { status = 402, headers = {}, body = '{"msg":"no balance"}' }
        end
        return { status = 200, headers = {}, body =
          ('{"id":"video_%d","status":"queued"}'):format(posts) }
      end
      local id = req.url:match "/result/(.+)$"
      if not id then
        return { status = 200, body = CLIP,
          headers = { ["content-length"] = tostring(#CLIP) } }
      end
      local is_bad = prompts[id] == "bad"
      return { status = 200, headers = {}, body = json.encode { id = id,
        status = is_bad and "failed" or "completed",
        error = is_bad and "too dark" or nil,
        video_url = not is_bad and "https://m/" .. id or nil } }
    end
  end

  local transport = provider()

  local function run(words, given)
    given = given or {}
    given.transport = given.transport or transport
    given.ledger = ledger
    local list = {}
    for word in words:gmatch "%S+" do
      list[#list + 1] = word
    end
    local code, out, err = command.run(list, given)
    return code, out, err
  end

  -- A list of so many orders, and what is wrong with some.
  local function scenes(count, prompts)
    local lines = {}
    for number = 1, count do
      lines[number] = json.encode { path = ("scene/%02d.mp4"):format(number),
        model = "videos", duration = 5,
        prompt = prompts and prompts[number] or "a kite" }
    end
    files.write(folder .. "/scenes.jsonl", table.concat(lines, "\n") .. "\n")
    files.write(folder .. "/prices.json", json.encode { currency = "USD",
      models = { videos = { per_second = 0.4 } } })
  end

  local function batch(more, given)
    return run(("batch %s/scenes.jsonl -o %s/videos %s"):format(folder, folder,
      more or ""), given)
  end

  local PRICED

  before_each(function()
    PRICED = ("--prices %s/prices.json"):format(folder)
    transport = provider()
  end)

  local function saved()
    local count = 0
    for number = 1, 99 do
      count = count + (files.read(("%s/videos/scene/%02d.mp4"):format(folder,
        number)) == CLIP and 1 or 0)
    end
    return count
  end

  it("prices every line and all of them, and sends nothing", function()
    scenes(3)
    local code, out = batch("--dry-run " .. PRICED)
    assert.equal(0, code)
    local result = json.decode(out)
    assert.equal(6, result.cost)
    assert.equal("USD", result.currency)
    assert.equal(3, result.count)
    assert.same({ 2, 2, "scene/02.mp4" }, { result.orders[2].line,
      result.orders[2].cost, result.orders[2].key })
    code, out = batch("--dry-run " .. PRICED, { terminal = true })
    assert.equal(0, code)
    assert.truthy(out:find("\n   1  scene/01.mp4  2.00 USD\n", 1, true), out)
    assert.truthy(out:find("3 orders for 6.00 USD; nothing was ordered", 1,
      true), out)
    assert.equal(0, posts)
    assert.is_nil(files.read(ledger))
  end)

  it("prices an order a line, and sums them in the last one", function()
    scenes(3)
    local code, out = batch("--dry-run --json-lines " .. PRICED, { terminal = true })
    assert.equal(0, code)
    local lines = {}
    for line in out:gmatch "[^\n]*\n" do
      lines[#lines + 1] = json.decode(line)
    end
    assert.same({ line = 3, cost = 2, currency = "USD", take = 1,
      key = "scene/03.mp4", path = "scene/03.mp4" }, lines[3])
    assert.same({ count = 3, cost = 6, currency = "USD", unpriced = 0,
      valid = true }, lines[4])
    local err
    code, out, err = batch("--dry-run --json-lines " .. PRICED, { reads = 1 })
    assert.same({ 8, "" }, { code, err })
    assert.equal(lines[1].key, json.decode(out).key)
  end)

  it("tells what became of each order in a line", function()
    scenes(2)
    local code, out, err = batch "--yes --json-lines"
    assert.equal(0, code, err)
    local first, second, sums = out:match "^([^\n]+)\n([^\n]+)\n([^\n]+)\n$"
    assert.truthy(json.decode(first).file and json.decode(second).file)
    assert.same({ done = 2, failed = 0, unknown = 0, left = 0 }, json.decode(sums))
    assert.equal(2, saved())
  end)

  it("says in a dry run which lines have no price", function()
    scenes(2)
    files.write(folder .. "/prices.json", '{"currency":"USD","models":{}}')
    local _, out = batch("-n " .. PRICED, { terminal = true })
    assert.truthy(out:find("no price is given for the model videos", 1, true),
      out)
    assert.truthy(out:find("2 orders, at least 0.00 USD: 2 without a price", 1,
      true), out)
    _, out = batch("--dry-run", { terminal = true })
    assert.truthy(out:find("2 orders, no prices given; nothing was ordered", 1,
      true), out)
  end)

  it("asks what it costs, and orders nothing unless the answer is yes",
    function()
      scenes(3)
      for _, answer in ipairs { "", "n", "no", "what?" } do
        local code, _, err = batch(PRICED, { answer = answer })
        assert.equal(5, code)
        assert.equal("order 3 for 6.00 USD? [y/N] starvideos: nothing was"
          .. " ordered\n", err)
      end
      assert.equal(0, posts)
      local code, out = batch(PRICED, { answer = "y" })
      assert.equal(0, code)
      assert.equal(3, json.decode(out).done)
      assert.same({ 3, 3 }, { posts, saved() })
    end)

  it("counts in its question what is new, and buys nothing twice", function()
    scenes(2)
    assert.equal(0, (batch(PRICED .. " --yes")))
    scenes(3)
    local code, _, err = batch(PRICED, { answer = "n" })
    assert.equal(5, code)
    assert.truthy(err:find("3 orders, 2 of them ordered before; order 1 for"
      .. " 2.00 USD? ", 1, true), err)
    _, _, err = batch("", { answer = "n" })
    assert.truthy(err:find("order 1 (no prices given)? ", 1, true), err)
    assert.equal(2, posts)
    local out
    code, out = batch(PRICED, { answer = "yes" })
    assert.equal(0, code)
    assert.same({ 3, 3, 3 }, { posts, saved(), json.decode(out).done })
    code, out, err = batch(PRICED)
    assert.equal(0, code)
    assert.same({ 3, 3 }, { posts, json.decode(out).done })
    assert.truthy(err:find("3 orders, all of them ordered before\n", 1, true))
  end)

  it("orders nothing where there is nobody to ask", function()
    scenes(2)
    local code, _, err = batch(PRICED)
    assert.equal(2, code)
    assert.equal("starvideos: order 2 for 4.00 USD? There is no terminal to ask"
      .. " on; give --yes to order without being asked. Nothing was ordered\n",
      err)
    assert.equal(0, posts)
    local _, out = run "orders"
    assert.equal('{"orders":[]}\n', out)
  end)

  it("names every fault of every line, and orders none", function()
    scenes(1)
    local text = files.read(folder .. "/scenes.jsonl")
    files.write(folder .. "/scenes.jsonl", text .. '{"path":"../x.mp4","model":'
      .. '"videos","duration":99,"prompt":"x"}\r\n\nno JSON\n' .. text)
    local code, out, err = batch "--yes"
    assert.equal(2, code)
    assert.equal("", out)
    assert.truthy(err:find("^starvideos: the list has 4 faults; nothing was"
      .. " ordered\n"), err)
    for _, fault in ipairs { "line 2: path ", "line 2: duration ", "line 4: ",
      "line 5: path: line 1 has" } do
      assert.truthy(err:find("\n  " .. fault, 1, true), err)
    end
    err = select(3, batch "--yes --json")
    local violations = json.decode(err).error.violations
    assert.equal(4, #violations)
    assert.same({ 2, "duration", "out_of_range" }, { violations[2].line,
      violations[2].field, violations[2].code })
    assert.equal(0, posts)
  end)

  it("refuses a line that has changed, and names its key and take", function()
    scenes(2)
    batch "--yes"
    scenes(3, { [2] = "another" })
    local code, _, err = batch "--yes"
    assert.equal(2, code)
    assert.truthy(err:find("line 2: ", 1, true), err)
    assert.truthy(err:find("scene/02.mp4", 1, true), err)
    assert.truthy(err:find("take 2", 1, true), err)
    assert.equal(2, posts)
  end)

  it("refuses an empty list, one that is not there, and a missing key",
    function()
      files.write(folder .. "/scenes.jsonl", "\n\n")
      local code, _, err = batch "--yes"
      assert.equal(2, code)
      assert.truthy(err:find("the list has no orders", 1, true), err)
      os.remove(folder .. "/scenes.jsonl")
      code, _, err = batch "--yes"
      assert.equal(8, code)
      assert.truthy(err:find("scenes.jsonl: No such file", 1, true), err)
      scenes(1)
      code, _, err = batch("--yes", { key = "" })
      assert.equal(2, code)
      assert.truthy(err:find("no API key, so nothing was ordered", 1, true), err)
    end)

  it("reads its list from stdin", function()
    scenes(2)
    local text = files.read(folder .. "/scenes.jsonl")
    local code, out = run(("batch - -o %s/videos --yes"):format(folder),
      { stdin = text })
    assert.equal(0, code)
    assert.equal(2, json.decode(out).done)
  end)

  -- They were counted as queued, or as failed, and the code was 5 or 0.
  for status, kind in pairs { [302] = "config", [400] = "invalid_request",
    [402] = "invalid_request", [404] = "not_found" } do
    it("says of bought orders whose polls are answered HTTP " .. status
      .. " that they are bought", function()
      scenes(3)
      local known = provider()
      local function refuses(req)
        if req.url:find("/result/", 1, true) and not req.url:find "video_2$" then
          return { status = status, headers = {}, body = "{}" }
        end
        return known(req)
      end
      local code, out, err = batch("--yes", { transport = refuses,
        sleep = function() return posts < 3 or nil end })
      assert.equal(4, code, err)
      assert.equal(3, posts)
      local result, kinds = json.decode(out), {}
      for _, order in ipairs(result.orders) do
        kinds[order.key] = order.error and order.error.kind or "saved"
      end
      assert.same({ 1, 0, 0, 2 }, { result.done, result.failed, result.unknown,
        result.left })
      assert.same({ ["scene/01.mp4"] = kind, ["scene/02.mp4"] = "saved",
        ["scene/03.mp4"] = kind }, kinds)
      assert.truthy(err:find("1 of 3 done, 2 bought, not saved", 1, true), err)
      assert.is_nil(err:find("%d queued,"), err)
    end)
  end

  it("sets the limits that it is given, before anything can be sent", function()
    scenes(3)
    local code, _, err = batch(PRICED .. " --yes --at-most 2 --spend 4/total")
    assert.equal(5, code, err)
    assert.equal(2, posts)
    assert.equal(1, select(2, err:gsub("\nthe limit spend/total is reached", "")),
      err)
    assert.truthy(err:find("spend/total", 1, true), err)
    local _, out = run "limits"
    local list = json.decode(out).limits
    assert.same({ "open", 2, "spend/total", 4, 0 }, { list[1].name, list[1].cap,
      list[2].name, list[2].cap, list[2].left })
  end)

  it("names the take of an order while its video is saved", function()
    scenes(1)
    local list = files.read(folder .. "/scenes.jsonl"):gsub("}", ',"take":2}')
    files.write(folder .. "/scenes.jsonl", list)
    local code, _, err = batch "--yes"
    assert.equal(0, code, err)
    for line in err:gmatch "scene/01.mp4[^\n]*" do
      assert.truthy(line:find("scene/01.mp4, take 2: ", 1, true), line)
    end
  end)

  it("blames no others while its own orders, on their way, fill a limit", function()
    local notes = {}
    local monitor = monitors.new { now = function() return 0 end, console = {
      note = function(_, text) notes[#notes + 1] = text end } }
    local reached = { name = "limit", limit = "open", state = "reached",
      order = "2", reason = "1 of 1 tasks are open" }
    monitor:on_event { name = "order", order = "1", from = "queued",
      state = "submitting" }
    monitor:on_event(reached)
    assert.same({}, notes)
    monitor:on_event { name = "order", order = "1", from = "submitting",
      state = "unknown" }
    monitor:on_event(reached)
    assert.truthy(notes[1]:find("waiting for the limit open", 1, true))
  end)

  it("says that it waits for a limit of which others have all", function()
    scenes(1)
    run("create --key other -m videos -d 5 -p x --ledger " .. ledger)
    run("limits --open 1 --ledger " .. ledger)
    local given = { terminal = true }
    local waits = 0
    given.sleep = function()
      waits = waits + 1
      if waits == 30 then
        run("limits --remove open --ledger " .. ledger)
      end
      return true
    end
    local code, out, err = batch("--yes", given)
    assert.equal(0, code, err)
    assert.truthy(err:find("waiting for the limit open, of which others have all:"
      .. " 1 of 1 tasks are open\n", 1, true), err)
    assert.equal("1 of 1 done\n", out)
  end)

  it("orders nothing where money is limited and prices are missing", function()
    scenes(3)
    local code, _, err = batch "--yes --spend 100"
    assert.equal(2, code)
    assert.truthy(err:find("nothing was ordered", 1, true), err)
    files.write(folder .. "/prices.json", '{"currency":"USD","models":{}}')
    code, _, err = batch("--yes --spend 100 " .. PRICED)
    assert.equal(2, code)
    assert.truthy(err:find("3 orders have no price, and would never be sent", 1,
      true), err)
    assert.equal(0, posts)
    local _, out = run "orders"
    assert.equal('{"orders":[]}\n', out)
  end)

  for _, words in ipairs { "--at-most 0", "--at-most x", "--spend x",
    "--spend=-1", "--spend 5/week", "--spend 5/", "--claims 0",
    "--interval 0" } do
    it("refuses " .. words, function()
      scenes(1)
      local code, _, err = batch("--yes " .. words)
      assert.equal(2, code)
      assert.truthy(err:find(words:match "^[^ =]+", 1, true), err)
      assert.equal(0, posts)
    end)
  end

  it("exits by the most severe end, and tells it again the next time",
    function()
      scenes(3, { [2] = "bad" })
      local code, out, err = batch "--yes"
      assert.equal(1, code)
      assert.same({ 2, 1, 0 }, { json.decode(out).done, json.decode(out).failed,
        json.decode(out).left })
      assert.truthy(err:find("scene/02.mp4: task_failed: too dark", 1, true),
        err)
      assert.truthy(err:find('for another video give its line "take": 2', 1,
        true), err)
      code, out, err = batch "--yes"
      assert.equal(1, code)
      assert.equal(1, json.decode(out).failed)
      assert.truthy(err:find('too dark; for another video give its line "take":'
        .. " 2", 1, true), err)
      assert.equal(3, posts)
    end)

  describe("whose videos were saved before", function()
    before_each(function()
      scenes(3)
      assert.equal(0, (batch "--yes"))
    end)

    it("says where they are if not in the folder it is given", function()
      for _, folder_of in ipairs { "other", "videos/scene" } do
        local code, out, err = run(("batch %s/scenes.jsonl --yes -o %s/%s")
          :format(folder, folder, folder_of))
        assert.equal(0, code)
        assert.equal(3, json.decode(out).done)
        for number = 1, 3 do
          assert.truthy(err:find(("scene/%02d.mp4: saved before, as "
            .. "%s/videos/scene/%02d.mp4\n"):format(number, folder, number), 1,
            true), err)
        end
      end
      local _, _, err = batch "--yes"
      assert.is_nil(err:find("saved before", 1, true), err)
    end)

    it("names the machine that has them", function()
      local database = require("starvideos.ledger.database").new(ledger)
      assert(database:run "UPDATE starvideos_orders SET machine = 'mill'")
      database:close()
      shell.run("rm -rf " .. folder .. "/videos")
      local code, _, err = batch "--yes"
      assert.equal(0, code)
      assert.truthy(err:find("videos/scene/01.mp4 on the machine mill", 1, true),
        err)
    end)

    for what, words in pairs { ["a file was removed"] = "rm %s/videos/scene/02.mp4",
      ["a file was moved"] = "mv %s/videos/scene/02.mp4 %s/mine.mp4" } do
      it("exits with 7 where " .. what .. ", and says how to get it", function()
        shell.run(words:format(folder, folder))
        local code, out, err = batch "--yes"
        assert.equal(7, code)
        assert.same({ 2, 1 }, { json.decode(out).done, json.decode(out).left })
        assert.truthy(err:find("is not there any more; the video stays bought",
          1, true), err)
        assert.is_nil(err:find("starvideos work", 1, true), err)
        local again = err:match "to download it again: starvideos (download [^\n]+)"
        assert.equal(0, (run((again:gsub(" %-%-ledger %S+", "")))), again)
        assert.equal(3, saved())
        assert.equal(0, (batch "--yes"))
        assert.equal(3, posts)
      end)
    end

    it("exits with 7 where all of the folder was emptied", function()
      shell.run("rm -rf " .. folder .. "/videos")
      local code, out, err = batch "--yes"
      assert.equal(7, code)
      assert.same({ 0, 3 }, { json.decode(out).done, json.decode(out).left })
      assert.truthy(err:find("3 bought, not saved", 1, true), err)
      assert.equal(3, posts)
    end)
  end)

  it("never sends an order of unknown outcome again", function()
    scenes(2, { [1] = "lost" })
    local code, out, err = batch "--yes"
    assert.equal(6, code)
    assert.equal(1, json.decode(out).unknown)
    assert.truthy(err:find("starvideos dismiss ", 1, true), err)
    assert.truthy(err:find('its line in the list, with "take": 2', 1, true),
      err)
    code = batch "--yes"
    assert.equal(6, code)
    assert.equal(2, posts)
  end)

  it("exits with 8 where orders are gone from the ledger, and that they may be bought",
    function()
      scenes(3)
      local code, out, err = batch("--yes --claims 1", { transport = function(req)
        if req.method == "POST" and posts == 0 then
          local database = require("starvideos.ledger.database").new(ledger)
          assert(database:run "DELETE FROM starvideos_orders")
          database:close()
        end
        return transport(req)
      end })
      local result = json.decode(out)
      assert.equal(8, code)
      assert.same({ 1, 2 }, { result.done, result.left })
      assert.equal("ledger", result.orders[3].error.kind)
      assert.truthy(err:find("it may have been bought", 1, true), err)
      assert.is_nil(err:find("go on with", 1, true))
    end)

  it("stops where no money is left, and says how to go on", function()
    scenes(3, { "unpaid", "unpaid", "unpaid" })
    local code, out, err = batch "--yes --claims 1"
    assert.equal(5, code, err)
    assert.equal(3, json.decode(out).left)
    assert.truthy(err:find("\nthe queue has stopped: ", 1, true), err)
    assert.truthy(err:find("starvideos work --resume", 1, true), err)
    assert.truthy(err:find("-o " .. folder .. "/videos", 1, true), err)
    local sent = posts
    code = run(("work -o %s/videos"):format(folder))
    assert.equal(5, code)
    assert.equal(sent, posts)
    out = select(2, run("status", { terminal = true }))
    assert.truthy(out:find("queue     stopped", 1, true), out)
    assert.truthy(out:find("starvideos work --resume", 1, true), out)
    code, out = run(("work --resume -o %s/videos"):format(folder),
      { transport = function(req)
        if req.method == "POST" then
          req.body = req.body:gsub("unpaid", "paid")
        end
        return transport(req)
      end })
    assert.equal(0, code)
    assert.same({ 3, 3 }, { json.decode(out).done, saved() })
  end)

  it("makes no ledger where it only reads one, whose name may be mistyped",
    function()
      for _, name in ipairs { "status", "orders", "archive",
        "ledger backup x" } do
        local code, _, err = run(name)
        assert.equal(2, code)
        assert.truthy(err:find("there is no ledger " .. ledger, 1, true), err)
        assert.is_nil(files.read(ledger))
      end
    end)

  it("says that nothing can be ordered, at once and each minute", function()
    local now, notes = 0, {}
    local monitor = monitors.new { now = function() return now end, console = {
      note = function(_, text) notes[#notes + 1] = text end } }
    local function fail(seconds)
      now = seconds
      monitor:on_event { name = "exchange", operation = "create", order = "1",
        failure = "connect" }
      monitor:on_event { name = "order", order = "1", from = "submitting",
        state = "queued", error = ("no route after %d ms; nothing was sent")
          :format(seconds) }
    end
    fail(0)
    fail(30)
    assert.same({ "ordering: no route; nothing was bought by that, retrying" },
      notes)
    fail(61)
    assert.equal(2, #notes)
    assert.truthy(boards.lines(monitor.overview, 80, 24)[2]:find(
      "ordering: no route", 1, true))
    monitor:on_event { name = "order", order = "1", from = "submitting",
      state = "accepted", task_id = "video_1" }
    assert.is_nil(monitor.overview.trouble)
    monitor:on_event { name = "exchange", operation = "create", order = "2",
      status = 401 }
    monitor:on_event { name = "order", order = "2", from = "submitting",
      state = "queued", error = "a refused key" }
    assert.is_nil(monitor.overview.trouble)
  end)

  it("says what it waits for when it is to end", function()
    local notes = {}
    local monitor = monitors.new { now = function() return 0 end, console = {
      note = function(_, text) notes[#notes + 1] = text end } }
    monitor:on_event { name = "worker", state = "draining" }
    assert.same({}, notes)
    monitor:on_event { name = "order", order = "1", from = "queued",
      state = "submitting" }
    monitor:on_event { name = "worker", state = "draining" }
    assert.truthy(notes[1]:find("1 sent: waiting for the answer", 1, true))
  end)

  it("says that what is queued is another provider's", function()
    scenes(2, { "unpaid", "unpaid" })
    batch("--yes --claims 1 --base-url https://one.example")
    local code, out, err = run("work --base-url https://other.example")
    assert.equal(0, code, err)
    assert.equal(0, json.decode(out).left)
    assert.truthy(err:find("2 queued, with another base URL or account", 1,
      true), err)
  end)

  it("asks for no download of what was not ordered", function()
    scenes(1)
    assert(shell.run(("mkdir -p '%s/videos/scene'"):format(folder)))
    files.write(folder .. "/videos/scene/01.mp4", "mine")
    local code, _, err = batch "--yes"
    assert.equal(8, code)
    assert.truthy(err:find("it was not ordered; to replace the file: the same"
      .. " command with --overwrite", 1, true), err)
    assert.is_nil(err:find("starvideos download", 1, true))
    assert.equal(0, posts)
  end)

  it("names the ledger it looked for where there is none", function()
    for _, name in ipairs { "work", "status", "orders", "limits", "archive",
      "ledger backup x", "pending", "resume", "dismiss x", "adopt x y",
      "label x y" } do
      local list = {}
      for word in name:gmatch "%S+" do
        list[#list + 1] = word
      end
      local code, _, err = command.run(list)
      assert.equal(2, code)
      assert.truthy(err:find("/starvideos.db, the default, is not there", 1,
        true), err)
    end
  end)
end)
