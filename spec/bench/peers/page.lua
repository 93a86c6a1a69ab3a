--- docs/performance.md, from the lines of docs/performance.jsonl and page.md, in
-- which places stand as @name@.

local c_locale = require "starvideos.base.c_locale"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local list = require "spec.bench.peers.list"

local _M = {}

local FRAME = assert(files.read "spec/bench/peers/page.md")

local function cell(figures, name)
  local value, ratio = figures[name], figures[name .. "_ratio"]
  if not value then
    return "–"
  end
  return ("%.0f (%s ×)"):format(value.value,
    c_locale.number("%.3g", ratio.value))
end

local function row_of(figures, peer)
  local cells = { peer.title }
  for _, way in ipairs { "one", "many" } do
    local name = ("peers_%s_%s"):format(way, peer.name)
    cells[#cells + 1] = cell(figures, name)
    cells[#cells + 1] = cell(figures, name .. "_cpu")
  end
  return "| " .. table.concat(cells, " | ") .. " |"
end

local function rows_of(figures, missing)
  local rows = {
    "| client | one after the other, µs | CPU, µs | 64 at once, µs | CPU, µs |",
    "|---|--:|--:|--:|--:|",
  }
  for _, peer in ipairs(list) do
    local way = peer.one and "one" or "many"
    if figures[("peers_%s_%s"):format(way, peer.name)] then
      rows[#rows + 1] = row_of(figures, peer)
    else
      missing[#missing + 1] = peer.title:match "^[^,;]+"
    end
  end
  return rows
end

local function machine_rows(machine)
  local rows = { "| what | which |", "|---|---|" }
  local function add(what, which)
    rows[#rows + 1] = ("| %s | %s |"):format(what, which)
  end
  add("processor", ("%s, %s cores%s, %s"):format(machine.processor, machine.cores,
    machine.virtual, machine.memory))
  add("system", machine.distribution .. ", " .. machine.kernel)
  add("libcurl", machine.libcurl)
  add("server", "nginx " .. machine.nginx)
  add("JSON in Lua", "lua-cjson " .. machine.cjson)
  for _, peer in ipairs(list) do
    if machine.peers[peer.name] then
      add("`" .. peer.command:match "[^/]+$" .. (peer.way and " " .. peer.way or "")
        .. "`", machine.peers[peer.name])
    end
  end
  add("measured on", machine.day)
  return rows
end

-- What a reader wants to know; all other figures are in the file of lines.
local GOALS = {
  { "peers_one_ours_block_to_lua_curl", "a query, beside Lua-cURL 3 with cjson" },
  { "peers_many_ours_poll_to_lua_curl",
    "64 queries at once, in coroutines, beside Lua-cURL 3 with cjson" },
  { "query_one_core_added", "what a query takes more than libcurl alone" },
  { "query_one_core_luajit_added", "the same in LuaJIT" },
  { "create_one_authority_added", "what an order takes more, written down on the disk" },
  { "require", "loading the library" },
  { "validate_lua", "checking the parameters of an order" },
  { "ledger_order", "what a ledger in a file takes for an order" },
  { "ledger_pending_100000", "listing 100,000 open orders" },
  { "queue_enqueue_100000", "putting 100,000 orders into the queue" },
  { "queue_claim", "a worker's claim of an order, of 100,000" },
  { "download_1gb_ratio", "saving 1 GB, beside the program curl" },
  { "download_1gb_memory_growth", "memory that saving 1 GB takes more" },
  { "deadline_overshoot_p99", "how late a deadline ends a call, 99 of 100" },
  { "interrupt_overshoot_p99", "how late Ctrl-C does" },
  { "love_60_update_cpu_p999", "LÖVE with 1,000 waits, its `update`, 999 of 1,000"
    .. " frames: 0.15 ms more than making a hundred tables" },
  { "love_update_longest", "the longest `update` of a minute without pauses" },
  { "nginx_p99_ratio", "nginx with 1,000 waits: other requests, 99 of 100, beside none" },
  { "gateway_streams", "listeners of one gateway at a time" },
  { "gateway_p99_ratio", "other requests of that gateway, 99 of 100, beside none" },
  { "waits_lua5.4_bytes", "memory of one of 10,000 waits, as one list" },
  { "waits_each_lua5.4_lua_bytes", "Lua's memory of each, as operations" },
  { "waits_lua5.4_late_p999", "how late 10,000 waits poll, 999 of 1,000" },
  { "waits_lua5.4_processor", "10,000 waits: one core" },
  { "luv_timer_late_p99_more", "luv's own timers with our waits: later by, 99 of 100" },
  { "cqueues_timer_late_p99_more", "those of cqueues" },
  { "copas_timer_late_p99_more", "those of copas" },
}

local function figure_rows(figures)
  local rows = { "| what | measured | goal | met |", "|---|--:|--:|---|" }
  for _, row in ipairs(GOALS) do
    local line = figures[row[1]]
    if line then
      rows[#rows + 1] = ("| %s | %s %s | %s | %s |"):format(row[2],
        c_locale.number("%g", line.value), line.unit, line.goal,
        line.ok and "yes" or "**no**")
    end
  end
  return rows
end

local function read(text)
  local machine, figures = nil, {}
  for line in text:gmatch "[^\n]+" do
    local value = assert(json.decode(line))
    machine = machine or value.machine
    if value.name then
      figures[value.name] = value
    end
  end
  return machine, figures
end

--- Write the page.
-- @tparam string text a line with the machine, then one a figure
-- @treturn string
function _M.render(text)
  local machine, figures = read(text)
  local missing = {}
  local places = {
    table = table.concat(rows_of(figures, missing), "\n"),
    machine = table.concat(machine_rows(machine), "\n"),
    figures = table.concat(figure_rows(figures), "\n"),
    missing = missing[1] and "Not to be had when this was measured: "
      .. table.concat(missing, "; ") .. "." or "",
  }
  return (FRAME:gsub("@(%l+)@", places):gsub(" +\n", "\n"))
end

return _M
