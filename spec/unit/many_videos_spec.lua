-- What the page "Many videos" shows is what works.

local arguments = require "starvideos.cli.arguments"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local sandbox = require "starvideos.sandbox"
local starvideos = require "starvideos"

local load = loadstring or load

describe("the page of many videos", function()
  local file = assert(io.open("docs/many-videos.md", "rb"))
  local text = file:read "*a"
  file:close()

  local function blocks(language)
    local list = {}
    for block in text:gmatch("\n```" .. language .. "\n(.-\n)```") do
      list[#list + 1] = block
    end
    return list
  end

  -- The words of a command line that needs no quotes.
  local function words(line)
    local list = {}
    for word in line:gsub("%s#.*$", ""):gmatch "%S+" do
      list[#list + 1] = word
    end
    return list
  end

  local scenes, prices = {}, nil
  for _, block in ipairs(blocks "json") do
    if block:find '"models"' then
      prices = assert(json.decode(block))
    else
      for line in block:gmatch "[^\n]+" do
        scenes[#scenes + 1] = assert(json.decode(line))
      end
    end
  end

  it("shows commands that the command line takes", function()
    local count = 0
    local function check(line)
      local list = words(line)
      table.remove(list, 1)
      local options, problem = arguments.parse(list, "1")
      assert.truthy(options, line .. ": " .. tostring(problem))
      count = count + 1
    end
    for _, block in ipairs(blocks "sh") do
      for line in block:gmatch "[^\n]+" do
        if line:find "^starvideos " then
          check(line)
        end
      end
    end
    for line in text:gmatch "`(starvideos [^`]+)`" do
      check(line)
    end
    assert.is_true(count > 8)
  end)

  it("shows a program that orders the lines of the file", function()
    local folder, box = files.folder(), sandbox.new { seconds = 0,
      queued_seconds = 0 }
    finally(function()
      files.remove(folder)
    end)
    local said
    local now = 0
    local environment = setmetatable({ key = box.key, scenes = scenes,
      print = function(...) said = { ... } end, starvideos = {
        new = function(options)
          options.ledger, options.prices = folder .. "/videos.db", prices
          options.transport = box:transport()
          options.clock = function() return now end
          function options.sleep(seconds)
            now = now + seconds
            return true
          end
          return starvideos.new(options)
        end } }, { __index = _G })
    -- Creates are paced by the clock of the ledger, which is real.
    local code = blocks("lua")[1]:gsub('"videos", on_done',
      ("%q, on_done"):format(folder)):gsub("minute = 20", "minute = 6000")
    local program = assert(load(code, "=docs", "t", environment))
    if setfenv then
      setfenv(program, environment)
    end
    program()
    assert.same({ #scenes, 0, 0 }, said)
  end)
end)
