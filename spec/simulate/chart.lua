-- A picture of curves over time, as SVG: one panel below the other.

local _M = {}

local WIDTH, LEFT, RIGHT = 860, 70, 20
local PANEL, GAP, TOP, BOTTOM = 150, 46, 46, 40

local STYLE = [[text{font:12px sans-serif;fill:#333}.title{font-size:14px}
.grid{stroke:#ddd}.limit{stroke:#c33;stroke-dasharray:5 4}.band{fill:#f6e3c5}
.curve{fill:none;stroke:#1f6fb2;stroke-width:1.3}]]

local function add(lines, text, ...)
  lines[#lines + 1] = text:format(...)
end

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;",
    [">"] = "&gt;" }))
end

local function x_of(chart, seconds)
  return LEFT + (WIDTH - LEFT - RIGHT) * seconds / chart.seconds
end

local function add_bands(lines, chart, top)
  for _, band in ipairs(chart.bands) do
    local from, to = x_of(chart, band.from), x_of(chart, band.to)
    add(lines, '<rect class="band" x="%.1f" y="%d" width="%.1f" height="%d"/>',
      from, top, math.max(1, to - from), PANEL)
  end
end

-- A round number of steps of the scale.
local function step_of(most, steps)
  local size = 10 ^ math.floor(math.log(most / steps) / math.log(10))
  for _, factor in ipairs { 1, 2, 5, 10 } do
    if most / (size * factor) <= steps then
      return size * factor
    end
  end
end

local function add_scale(lines, top, most)
  local step = step_of(most, 5)
  for value = 0, most, step do
    local y = top + PANEL * (1 - value / most)
    add(lines, '<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>',
      LEFT, y, WIDTH - RIGHT, y)
    add(lines, '<text x="%d" y="%.1f" text-anchor="end">%g</text>', LEFT - 8,
      y + 4, value)
  end
end

local function add_limit(lines, panel, top, most)
  if panel.limit then
    local y = top + PANEL * (1 - panel.limit / most)
    add(lines, '<line class="limit" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>',
      LEFT, y, WIDTH - RIGHT, y)
  end
end

local function add_curve(lines, chart, panel, top, most)
  local points = {}
  for index, point in ipairs(panel.points) do
    points[index] = ("%.1f,%.1f"):format(x_of(chart, point[1]),
      top + PANEL * (1 - point[2] / most))
  end
  add(lines, '<polyline class="curve" points="%s"/>',
    table.concat(points, " "))
end

local function add_panel(lines, chart, panel, top)
  local most = panel.limit or 1
  for _, point in ipairs(panel.points) do
    most = math.max(most, point[2])
  end
  most = most * 1.1
  add_bands(lines, chart, top)
  add_scale(lines, top, most)
  add(lines, '<text class="title" x="%d" y="%d">%s</text>', LEFT, top - 8,
    escape(panel.title))
  add_limit(lines, panel, top, most)
  add_curve(lines, chart, panel, top, most)
end

local function add_times(lines, chart, top)
  local step = step_of(chart.seconds / 60, 10)
  for minutes = 0, chart.seconds / 60, step do
    add(lines, '<text x="%.1f" y="%d" text-anchor="middle">%g</text>',
      x_of(chart, minutes * 60), top + 18, minutes)
  end
  add(lines, '<text x="%d" y="%d" text-anchor="end">minutes</text>',
    WIDTH - RIGHT, top + 34)
  for _, band in ipairs(chart.bands) do
    add(lines, '<text x="%.1f" y="%d" text-anchor="middle">%s</text>',
      x_of(chart, (band.from + band.to) / 2), top + 34, escape(band.title))
  end
end

--- Draw a chart.
-- @tparam table chart `seconds` (its width), `bands` (a list of `from`, `to`,
--   `title`), `panels` (a list of `title`, `limit`, `points`: a list of pairs,
--   seconds and a value)
-- @treturn string SVG
function _M.draw(chart)
  local height = TOP + #chart.panels * (PANEL + GAP) - GAP + BOTTOM + 6
  local lines = {}
  add(lines, '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d"'
    .. ' width="%d" height="%d">', WIDTH, height, WIDTH, height)
  add(lines, "<style>%s</style>", STYLE:gsub("%%", "%%%%"))
  add(lines, '<rect width="%d" height="%d" fill="#fff"/>', WIDTH, height)
  for index, panel in ipairs(chart.panels) do
    add_panel(lines, chart, panel, TOP + (index - 1) * (PANEL + GAP))
  end
  add_times(lines, chart, height - BOTTOM - 6)
  add(lines, "</svg>\n")
  return table.concat(lines, "\n")
end

return _M
