-- What one sees while many orders are made, on a terminal that replays it.

local boards = require "starvideos.cli.progress_view"
local consoles = require "starvideos.cli.console"
local values = require "starvideos.cli.values"
local monitors = require "starvideos.cli.monitor"
local tables = require "starvideos.cli.table"
local terminals = require "spec.fixtures.terminal"

local MORE = "\226\128\166"
local WORLD = "\228\184\150\231\149\140" -- two Chinese characters
local E_ACUTE = "e\204\129" -- with a combining mark

describe("the width of a text", function()
  local texts = { [""] = 0, abc = 3, [WORLD] = 4, [E_ACUTE] = 1,
    ["\195\169"] = 1, ["\240\159\142\172"] = 2, ["\239\188\161"] = 2,
    ["a\0b\27"] = 4, ["\255\254"] = 2, ["\194\155"] = 1,
    ["\226\128\174x"] = 2, ["\225\132\128\225\133\161"] = 2,
    ["\227\129\139\227\130\153"] = 2 }
  it("counts the columns that a terminal needs", function()
    for text, wanted in pairs(texts) do
      assert.equal(wanted, tables.width_of(text), text)
    end
  end)

  it("cuts between what is drawn together", function()
    assert.same({ WORLD, 4 }, { tables.cut(WORLD .. "x", 4) })
    assert.same({ WORLD:sub(1, 3), 2 }, { tables.cut(WORLD, 3) })
    assert.same({ E_ACUTE, 1 }, { tables.cut(E_ACUTE .. E_ACUTE, 1) })
    assert.same({ "", 0 }, { tables.cut("abc", 0) })
  end)

  it("keeps the end of a name that is too long", function()
    assert.same({ "abc", 3 }, { tables.ending("abc", 3) })
    assert.same({ MORE .. "c", 2 }, { tables.ending("abc", 2) })
    assert.same({ MORE .. WORLD:sub(4), 3 }, { tables.ending(WORLD, 3) })
    assert.same({ MORE, 1 }, { tables.ending(WORLD, 2) })
    assert.same({ MORE .. E_ACUTE, 2 }, { tables.ending("ab" .. E_ACUTE, 2) })
    assert.same({ "", 0 }, { tables.ending("abc", 0) })
  end)

  it("lets nothing through that controls a terminal", function()
    assert.equal("a?[2J?", (tables.cut("a\27[2J\n", 10)))
    assert.equal("?31m?", (tables.cut("\194\155" .. "31m\226\128\174", 10)))
    assert.equal("??", (tables.cut("\255\200", 10)))
  end)
end)

describe("an amount of money", function()
  it("has two decimals, and more where it needs them", function()
    assert.equal("80.00 USD", values.money(80, "USD"))
    assert.equal("0.50", values.money(0.5))
    assert.equal("0.123456 EUR", values.money(0.123456, "EUR"))
    assert.equal("0.30", values.money(0.1 + 0.2))
  end)

  it("is summed for each currency", function()
    assert.equal("1.00 + 2.00 EUR + 3.50 USD",
      values.sum { USD = 3.5, EUR = 2, [""] = 1 })
    assert.is_nil(values.sum {})
  end)
end)

describe("an overview", function()
  local now, overview

  before_each(function()
    now = 0
    overview = monitors.overview(function() return now end, 10)
  end)

  local function run(first, last)
    for number = first, last do
      overview:run("id" .. number, { name = "scene-" .. number, what = "queued" })
    end
  end

  it("knows no time left before one order has ended, or while none runs",
    function()
      run(1, 2)
      assert.is_nil(overview:time_left())
      now = 100
      overview:finish("id1", "done")
      assert.is_number(overview:time_left())
      overview:finish("id2", "failed")
      assert.is_nil(overview:time_left())
    end)

  it("estimates by how long orders took and how many run at once", function()
    run(1, 2)
    now = 100
    overview:finish("id1", "done")
    overview:finish("id2", "done")
    run(3, 4) -- and 6 wait: each place has three times 100 s before it
    assert.equal(400, overview:time_left())
    now = 150
    assert.equal(350, overview:time_left())
  end)

  it("takes an order that takes long to need longer", function()
    overview.total = 2
    run(1, 2)
    now = 100
    overview:finish("id1", "done")
    now = 10000
    assert.equal(25, overview:time_left())
  end)

  it("makes no promise while a limit keeps orders back", function()
    run(1, 2)
    now = 100
    overview:finish("id1", "done")
    overview.held = true
    assert.is_nil(overview:time_left())
    overview.total = 2 -- nothing waits
    assert.is_number(overview:time_left())
  end)

  it("counts an order that went back to the queue as waiting", function()
    run(1, 3)
    assert.equal(7, overview:waiting())
    overview:stop "id2"
    assert.equal(8, overview:waiting())
    assert.equal("scene-3", overview.order[2].name)
  end)
end)

describe("the lines of many orders", function()
  local now, overview

  before_each(function()
    now = 0
    overview = monitors.overview(function() return now end, 40)
    for number = 1, 6 do
      overview:run("id" .. number, { name = ("scene/%s %d.mp4"):format(WORLD,
        number), what = "queued" })
    end
    now = 60
    overview:finish("id1", "done")
    overview:finish("id2", "failed")
    overview:spend(12, "USD")
    overview:run("id4", { what = "processing", share = 0.4 })
  end)

  it("tell of the whole, and of each order that runs", function()
    assert.same({
      "1 of 40 done, 4 running, 1 failed, 34 queued, 12.00 USD spent,"
        .. " about 9 min left",
      "  scene/" .. WORLD .. " 3.mp4  queued  1:00",
      "  scene/" .. WORLD .. " 4.mp4  processing  40%  [########............]"
        .. "  1:00",
      "  scene/" .. WORLD .. " 5.mp4  queued  1:00",
      "  scene/" .. WORLD .. " 6.mp4  queued  1:00",
    }, boards.lines(overview, 100, 24))
  end)

  it("say how many more there are than rows", function()
    local lines = boards.lines(overview, 100, 5)
    assert.equal(4, #lines)
    assert.equal("  " .. MORE .. " and 2 more", lines[4])
    assert.equal(2, #boards.lines(overview, 100, 3))
    assert.equal(1, #boards.lines(overview, 100, 1))
  end)

  it("fit a terminal of every size, and leave its last column free", function()
    for columns = 1, 120 do
      for _, rows in ipairs { 1, 2, 3, 6, 50 } do
        local lines = boards.lines(overview, columns, rows)
        assert.is_true(#lines <= math.max(1, rows - 1))
        for _, line in ipairs(lines) do
          assert.is_true(tables.width_of(line) <= math.max(1, columns - 1), line)
        end
      end
    end
  end)

  it("drop what matters least where there is little room", function()
    local function whole(columns)
      return boards.lines(overview, columns, 1)[1]
    end
    assert.equal("1 of 40 done, 4 running, 1 failed, 12.00 USD spent,"
      .. " about 9 min left", whole(77))
    assert.equal("1 of 40 done, 4 running, 1 failed", whole(40))
    assert.equal("1 of 40 done, 1 failed", whole(24))
    assert.equal("1 of", whole(5))
  end)

  it("name a limit of which others have all", function()
    overview = monitors.overview(function() return now end, 3)
    overview.limit = "open"
    assert.equal("0 of 3 done, waiting for the limit open, 3 queued",
      boards.whole(overview, 80))
    overview:run("id1", { what = "queued" })
    assert.equal("0 of 3 done, 1 running, 2 queued", boards.whole(overview, 80))
  end)

  it("count what others have ended, and name no limit where nothing waits", function()
    overview = monitors.overview(function() return now end, 12)
    overview.limit = "open"
    overview:leave(5)
    assert.equal("0 of 12 done, 7 by others, waiting for the limit open, 5 queued",
      boards.whole(overview, 80))
    overview:leave(0)
    assert.equal("0 of 12 done, 12 by others", boards.whole(overview, 80))
    overview:leave(3) -- further ones were enqueued
    overview:run("id1", { what = "queued" })
    overview:finish("id1", "done")
    overview:leave(2)
    assert.equal("1 of 12 done, 9 by others, 2 queued", boards.whole(overview, 80):gsub(
      ", waiting for the limit open", ""))
  end)

  it("estimate in words", function()
    assert.equal("less than a minute left", boards.estimate(20))
    assert.equal("about 1 min left", boards.estimate(50))
    assert.equal("about 12 min left", boards.estimate(725))
    assert.equal("about 3 h left", boards.estimate(10000))
    assert.equal("about 3 days left", boards.estimate(260000))
  end)

  for _, reflows in ipairs { true, false } do
    it(("stay in their place while the window changes (%s)"):format(
      reflows and "wraps again" or "cuts off"), function()
      local terminal = terminals.new(100, 10, reflows)
      local console = consoles.new({ stderr = terminal,
        terminal = function() return true end,
        getenv = function() end,
        size = function() return terminal.columns, terminal.rows end }, {})
      local function draw()
        console:show(function(columns, rows)
          return boards.lines(overview, columns, rows)
        end)
      end
      console:note "a note"
      for _, size in ipairs { { 100, 10 }, { 100, 10 }, { 45, 10 }, { 45, 4 },
        { 13, 10 }, { 120, 10 }, { 9, 8 }, { 60, 3 }, { 80, 24 } } do
        terminal:resize(size[1], size[2])
        now = now + 1
        draw()
        local wanted = boards.lines(overview, size[1], size[2])
        local seen = terminal:screen()
        while #seen > #wanted do
          table.remove(seen, 1)
        end
        assert.same(wanted, seen)
        assert.equal(1, select(2, terminal:all():gsub("1 of", "")))
      end
      console:note "the end"
      assert.is_nil(terminal:all():find("running", 1, true))
      assert.equal("a note\nthe end\n", terminal:all())
    end)
  end

  it("do not wrap where a terminal takes a character for wider", function()
    local ODD = "\227\140\130" -- one column too many for this terminal
    local terminal = terminals.new(20, 10)
    local console = consoles.new({ stderr = terminal, getenv = function() end,
      terminal = function() return true end,
      size = function() return 20, 10 end }, {})
    for _ = 1, 3 do
      console:show(function()
        return { ODD:rep(15), "x" }
      end)
    end
    assert.equal(2, #terminal:screen())
  end)

  it("are none for a terminal that can do nothing", function()
    local terminal = terminals.new(80, 24)
    local console = consoles.new({ stderr = terminal,
      terminal = function() return true end,
      getenv = function(name) return name == "TERM" and "dumb" or nil end,
      size = function() return 80, 24 end }, {})
    console:show(function() return { "x" } end)
    assert.is_false(console.terminal)
    assert.same({}, terminal:screen())
  end)
end)
