local operations = require "starvideos.provider.operations"
local task_reader = require "starvideos.provider.answer"

local function read_create(response)
  return task_reader.read(operations.create, response)
end

local function read_query(response)
  return task_reader.read(operations.query, response)
end

local function http(status, body)
  return { status = status, headers = {}, body = body }
end

describe("an id of more digits than a float holds", function()
  local ID = "1234567890123456789"

  for _, shape in ipairs { '{"id":%s,"status":"queued"}',
    '{"status":"queued", "id" : %s }',
    '{"status":"queued","old_id":"video_0","created":1,"id":%s}',
    '{"code":0,"data":{"id":%s}}',
    '{"code":"0","msg":null,"data":{"projectId":%s}}',
    '{"result":{"status":"queued","id":%s}}' } do
    it("keeps them all in " .. shape, function()
      local body = shape:format(ID)
      assert.equal(ID, assert(read_create(http(200, body))).id)
      if shape:find "status" then
        assert.equal(ID, assert(read_query(http(200, body))).id)
      end
    end)
  end

  it("keeps them where the create failed", function()
    local _, err = read_create(http(500, '{"id":' .. ID .. "}"))
    assert.equal(ID, err.task_id)
  end)

  it("leaves the digits of a text as they are", function()
    local text = [[say \"id\":1234567890123456789, twice]]
    local task = assert(read_create(http(200,
      '{"id":"video_1","status":"queued","prompt":"' .. text .. '"}')))
    assert.equal('say "id":1234567890123456789, twice', task.raw.prompt)
  end)
end)
