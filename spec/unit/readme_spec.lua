-- What the README shows is what works.

local load = loadstring or load

describe("the README", function()
  local file = assert(io.open("README.md", "rb"))
  local text = file:read "*a"
  file:close()
  local blocks = {}
  for block in text:gmatch "\n```lua\n(.-)\n```" do
    blocks[#blocks + 1] = block
  end

  it("has programs that every Lua can read", function()
    assert.is_true(#blocks > 3)
    for _, block in ipairs(blocks) do
      assert(load(block))
    end
  end)

  it("shows a unit test that passes at once", function()
    for _, block in ipairs(blocks) do
      if block:find("starvideos.sandbox", 1, true) then
        local began = os.clock()
        assert(load(block))()
        assert.is_true(os.clock() - began < 1)
        return
      end
    end
    error "it shows none"
  end)
end)
