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

-- The least that some figures could be, which have no goals themselves.
local FLOORS = { "^query.*_plain", "_64.*_plain", "^love_.*_hundred_tables_cpu_p",
  "^download_.*_curl_program$" }

local function is_floor(name)
  for _, pattern in ipairs(FLOORS) do
    if name:find(pattern) then
      return true
    end
  end
  return false
end

local function figure_rows(lines)
  local rows = { "| figure | measured | goal | met |", "|---|--:|--:|---|" }
  for _, line in ipairs(lines) do
    if line.goal or is_floor(line.name) then
      local met = not line.goal and "" or line.ok and "yes" or "**no**"
      rows[#rows + 1] = ("| `%s` | %s %s | %s | %s |"):format(line.name,
        c_locale.number("%g", line.value), line.unit, line.goal or "", met)
    end
  end
  return rows
end

local function read(text)
  local machine, lines, figures = nil, {}, {}
  for line in text:gmatch "[^\n]+" do
    local value = assert(json.decode(line))
    machine = machine or value.machine
    if value.name then
      lines[#lines + 1], figures[value.name] = value, value
    end
  end
  return machine, lines, figures
end

--- Write the page.
-- @tparam string text a line with the machine, then one a figure
-- @treturn string
function _M.render(text)
  local machine, lines, figures = read(text)
  local missing = {}
  local places = {
    table = table.concat(rows_of(figures, missing), "\n"),
    machine = table.concat(machine_rows(machine), "\n"),
    figures = table.concat(figure_rows(lines), "\n"),
    missing = missing[1] and "Not to be had when this was measured: "
      .. table.concat(missing, "; ") .. "." or "",
  }
  return (FRAME:gsub("@(%l+)@", places):gsub(" +\n", "\n"))
end

return _M
