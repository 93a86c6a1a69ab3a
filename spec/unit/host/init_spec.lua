-- The methods that docs/contracts.md lists are those that the runtimes have, and
-- that their callers look for.

local runtimes = require "starvideos.host"
local shell = require "starvideos.nginx.shell"

local NAMES = { "block", "frame", "poll", "ngx" }

-- The rows of a table of the page: by method, what follows it.
local function documented(title)
  local file = assert(io.open("docs/contracts.md", "rb"))
  local text, rows = file:read "*a", {}
  file:close()
  local section = text:match("\n### " .. title .. "\n(.-)\n##")
  for method, rest in section:gmatch "\n| `([%w_]+)%([^`]*`([^\n]*)" do
    rows[method] = rest
  end
  return rows
end

-- The methods of a runtime; of nginx's those in its source, for elsewhere it
-- cannot be made.
local function methods_of(name)
  local methods = {}
  if name == "ngx" then
    for line in io.lines "lua/starvideos/host/ngx/init.lua" do
      local method = line:match "^function Ngx[:.]([%w_]+)"
      methods[method or false] = true
    end
    return methods
  end
  local runtime = runtimes.new({ runtime = name, transport = function() end })
  local place = getmetatable(runtime).__index
  while place do
    for method in pairs(place) do
      methods[method] = true
    end
    place = (getmetatable(place) or {}).__index
  end
  return methods
end

describe("the runtime", function()
  local every, optional = documented "Every runtime", documented "Some runtimes"

  for _, name in ipairs(NAMES) do
    it(name .. " has the methods of all and its own, and no other's", function()
      local has = methods_of(name)
      for method in pairs(every) do
        assert.is_true(has[method], method)
      end
      for method, text in pairs(optional) do
        local owners = text:match "^ | ([^|]+) |"
        assert.equal(owners:find("`" .. name .. "`", 1, true) ~= nil,
          has[method] or false, method)
      end
    end)
  end

  it("is asked for no method that is not listed", function()
    local paths = shell.read(
      "find lua/starvideos -name '*.lua' -not -path '*/host/*'")
    for path in paths:gmatch "[^\n]+" do
      local file = assert(io.open(path, "rb"))
      for method in file:read("*a"):gmatch "runtime[:.]([%l_]+)%(" do
        assert.is_truthy(every[method] or optional[method]
          or method == "new", path .. ": " .. method)
      end
      file:close()
    end
  end)

  it("ngx is for nginx alone", function()
    assert.error_matches(function() runtimes.new({ runtime = "ngx" }) end,
      "is for nginx")
  end)

  it("is not looked for under a transport that it cannot have", function()
    assert.error_matches(function()
      runtimes.new({ runtime = "frame", transport = "resty_http" })
    end, "needs the runtime ngx")
  end)
end)
