local tasks = require "starvideos.base.task"

describe("the link of a task", function()
  it("has no blanks around it", function()
    for _, blank in ipairs { "", " ", "\n", "\t \r\n", (" "):rep(4000) } do
      local link = "https://m.example/a%20b.mp4?s=x y"
      assert.equal(link, tasks.new({ video_url = blank .. link .. blank })
        .video_url)
      assert.equal(link, tasks.new({ url = blank .. link }).video_url)
      assert.is_nil(tasks.new({ video_url = blank }).video_url)
    end
    assert.equal("https://m/1", tasks.new({ video_url = "  ",
      url = "https://m/1 " }).video_url)
  end)
end)

describe("the age of a task", function()
  it("is counted from when the provider created it", function()
    assert.equal(90, tasks.age({ created = 1700000000 }, 1700000090))
    assert.equal(90, tasks.age({ created = "1700000000", accepted_at = 1 },
      1700000090))
  end)

  it("is counted from when its order was accepted, else recorded", function()
    assert.equal(30, tasks.age({ created_at = 10, accepted_at = 70 }, 100))
    assert.equal(90, tasks.age({ created_at = 10 }, 100))
  end)

  it("is never negative, whatever a clock says", function()
    assert.equal(0, tasks.age({ created = 1700000000 }, 1600000000))
  end)

  it("is 0 where nothing tells: it may be a second old", function()
    assert.equal(0, tasks.age({ id = "video_1" }, 100))
    assert.equal(0, tasks.age(nil, 100))
    assert.equal(0, tasks.age({ created = "yesterday" }, 100))
  end)
end)
