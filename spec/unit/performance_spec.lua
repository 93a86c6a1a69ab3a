-- docs/performance.md is what `make bench-peers` writes.

local document = require "spec.fixtures.document"
local figure = require "spec.bench.figure"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local list = require "spec.bench.peers.list"
local page = require "spec.bench.peers.page"

local text = document.read "docs/performance.md"
local measured = document.read "docs/performance.jsonl"

-- What a run writes in which nobody but these was to be had.
local function record(figures, known)
  local lines = { json.encode { machine = { processor = "A processor", cores = "2",
    virtual = "", memory = "8 GB", kernel = "Linux 6", distribution = "Debian",
    day = "2026-01-02", libcurl = "7.88.1", nginx = "1.22.1", cjson = "2.1.0",
    peers = known } } }
  for _, one in ipairs(figures) do
    lines[#lines + 1] = figure.line(one[1], one[2], one[3], one[4])
  end
  return table.concat(lines, "\n") .. "\n"
end

describe("the page of figures", function()
  it("is what the program writes from the figures beside it", function()
    assert.equal(page.render(measured), text)
  end)

  it("has a row for every client, or says that it was not to be had", function()
    local missing = text:match "Not to be had when this was measured: ([^\n]*)" or ""
    for _, peer in ipairs(list) do
      local row = text:find("\n| " .. peer.title .. " | ", 1, true)
      assert.truthy(row or missing:find(peer.title:match "^[^,;]+", 1, true),
        peer.name)
    end
  end)

  it("tells the version of every client that it has", function()
    for _, peer in ipairs(list) do
      if peer.one and text:find("\n| " .. peer.title .. " | ", 1, true)
        and peer.name ~= "plain" then
        local program = peer.command:match "[^/]+$"
        assert.truthy(text:find("\n| `" .. program .. "[^|]*` | %a"), peer.name)
      end
    end
  end)

  it("shows a command for each of the benchmarks", function()
    local makefile = document.read "Makefile"
    local shown = document.blocks(text, "sh")[1].code
    for _, target in ipairs { "bench", "bench-hosts", "bench-peers" } do
      assert.truthy(shown:find("make -s " .. target .. " ", 1, true), target)
      assert.truthy(makefile:find("\n" .. target .. ":\n", 1, true), target)
      assert.truthy(document.read "docs/development.md":find("`make " .. target
        .. "`", 1, true), target)
    end
  end)

  it("leaves out who was not there, and says so", function()
    local written = page.render(record({
      { "peers_one_plain", 20, "us" }, { "peers_one_plain_cpu", 10, "us" },
      { "peers_one_plain_ratio", 1, "x" }, { "peers_one_plain_cpu_ratio", 1, "x" },
      { "peers_one_luasocket", 84.4, "us" }, { "peers_one_luasocket_cpu", 40, "us" },
      { "peers_one_luasocket_ratio", 4.216, "x" },
      { "peers_one_luasocket_cpu_ratio", 4, "x" },
    }, { luasocket = "LuaSocket 3.0.0, Lua 5.4" }))
    assert.truthy(written:find("connection each | 84 (4.22 ×) | 40 (4 ×) | – | – |",
      1, true))
    assert.truthy(written:find("| `luasocket.lua fresh` | LuaSocket 3.0.0, Lua 5.4 |",
      1, true))
    assert.truthy(written:find "Not to be had when this was measured: [^\n]*lua%-http")
    assert.is_nil(written:find("| `lua_http.lua", 1, true))
  end)

  it("says of a goal whether it was met, in words", function()
    local written = page.render(record({
      { "query_one_core_added", 11, "us", "<= 10" },
      { "require", 3, "ms", "< 5" }, { "ledger_order_cpu", 84, "us" } }, {}))
    assert.truthy(written:find("than libcurl alone | 11 us | <= 10 | **no** |", 1, true))
    assert.truthy(written:find("loading the library | 3 ms | < 5 | yes |", 1, true))
    assert.is_nil(written:find(" 84 ", 1, true))
  end)
end)

describe("the clients that are compared", function()
  it("are programs of the bench, one queries or 64", function()
    for _, peer in ipairs(list) do
      local path = peer.command:match "spec/bench/peers/%S+"
        or "spec/bench/query_plain.c"
      assert.truthy(files.read(path), peer.name)
      assert.is_true(peer.one or peer.many, peer.name)
    end
  end)
end)
