local core = require "starvideos.core"

describe("the fields of a request", function()
  local fields = core.fields()

  it("are told in the order in which faults are reported", function()
    local params, expected, told = {}, {}, {}
    for index, field in ipairs(fields) do
      params[field.name] = true
      expected[index] = field.name
    end
    local _, violations = core.catalog():validate(params)
    for _, violation in ipairs(violations) do
      if violation.field ~= told[#told] then
        told[#told + 1] = violation.field
      end
    end
    assert.same(expected, told)
  end)

  it("are each of a kind", function()
    local kinds = {}
    for _, field in ipairs(fields) do
      kinds[field.kind] = (kinds[field.kind] or 0) + 1
    end
    assert.same({ model = 1, prompt = 1, duration = 1, choice = 2, frame = 2,
      old_frame = 2, media = 3 }, kinds)
  end)

  it("say what people are shown of them, but for old names", function()
    for _, field in ipairs(fields) do
      local shown = not field.renamed
      assert.equal(shown, field.label ~= nil, field.name)
      assert.equal(shown, field.help ~= nil, field.name)
    end
  end)

  it("name the field that an old name stands for", function()
    local renamed = {}
    for _, field in ipairs(fields) do
      renamed[field.name] = field.renamed
    end
    assert.same({ image = "first_image", lastFrameImage = "last_image" },
      renamed)
  end)

  it("have limits in a row, but for the model and the frames", function()
    local row = { name = "all", endpoint = "/all" }
    for _, field in ipairs(fields) do
      if field.kind ~= "model" and not field.kind:find "frame" then
        row[field.name] = {}
      end
    end
    assert.same(row, core.catalog({ models = { row } }):model("all"))
  end)
end)
