-- What a provider, a file or a caller writes does nothing on a terminal but stand
-- there, and the JSON of a command is JSON.

local command = require "spec.fixtures.command"
local files = require "spec.fixtures.files"
local json = require "starvideos.base.json"
local utf8 = require "starvideos.base.utf8"

-- A title, a cleared screen, eight bits of the same in both forms, a return, a
-- turned direction, a line that reads like one of ours, GBK and half a character.
local ODD = "a\27]0;b\7c\27[2Jd\194\155e\155f\rg\8\226\128\174h\226\128\139i"
  .. "\ngo on with: rm\127 \196\227\186\195 \228\189"

-- As JSON has it, with what JSON need not escape as it is.
local IN_JSON = ODD:gsub("[%c\127]", function(char)
  return ("\\u%04x"):format(char:byte())
end)

local ANSWERS = {
  refusal = '{"object":"error","error":{"message":"@","code":"@"}}',
  ["bare refusal"] = '{"code":400,"msg":"@"}',
  task = '{"id":"@","status":"queued"}',
  running = '{"id":"video_1","status":"@","progress":"45%"}',
  done = '{"id":"@","status":"completed","video_url":"https://m.example/@"}',
  failed = '{"id":"video_1","status":"failed","error":{"message":"@","code":"@"}}',
  ["a page"] = "<html>@", plain = "@",
}

-- What is left once the command's own drawing is taken away.
local function bare(text)
  return (text:gsub("\27%[%?7[lh]", ""):gsub("\27%[[%dKJA]*", ""):gsub("\r", ""))
end

local function assert_harmless(text, is_drawn)
  text = is_drawn and bare(text) or text
  assert.is_nil(text:find "[%z\1-\8\11-\31\127]", text)
  assert.equal(text, (utf8.shown(text, true)))
  assert.is_nil(("\n" .. text):find("\ngo on with: rm", 1, true), text)
end

describe("what a hostile provider says", function()
  local folder

  setup(function() folder = files.folder() end)
  teardown(function() files.remove(folder) end)

  local ORDER = { "--model", "videos", "--duration", "5", "--prompt", "x" }

  local function words_of(name, more)
    local words = { name }
    for _, list in ipairs { name == "query" and { "video_1" } or name == "wait"
      and { "video_1", "--timeout", "2" } or ORDER, name == "generate"
      and { "-o", folder .. "/x.mp4", "--timeout", "2", "--overwrite" } or {},
      more } do
      for _, word in ipairs(list) do
        words[#words + 1] = word
      end
    end
    return words
  end

  for what, form in pairs(ANSWERS) do
    local odd = (what == "a page" or what == "plain") and ODD or IN_JSON
    local body = form:gsub("@", function() return odd end)
    for _, status in ipairs { 200, 500 } do
      it(("does nothing on a terminal: %s, HTTP %d"):format(what, status), function()
        for _, name in ipairs { "create", "generate", "query", "wait" } do
          for _, more in ipairs { {}, { "-v" }, { "--json", "-v" } } do
            for _, terminal in ipairs { true, false } do
              local _, out, err = command.run(words_of(name, more), {
                terminal = terminal, transport = function()
                  return { status = status, headers = {}, body = body }
                end })
              assert_harmless(out, terminal)
              assert_harmless(err, terminal)
              for line in (out .. err):gmatch(more[1] == "--json" and "[^\n]+"
                or "$^") do
                assert.is_table(json.decode(line), line)
              end
            end
          end
        end
      end)
    end
  end

  it("does nothing in the lists of a ledger, nor in a list that is made", function()
    local ledger, list = folder .. "/l.db", folder .. "/list.jsonl"
    files.write(list, '{"model":"videos","duration":5,"prompt":"x","key":"\\u001b[2J"}')
    local body = ANSWERS.done:gsub("@", function() return IN_JSON end)
    for _, terminal in ipairs { true, false } do
      for _, words in ipairs { { "create", "--key", ODD:gsub("[\128-\255]", ""),
          "--model", "videos", "--duration", "5", "--prompt", "x" },
        { "batch", list, "-o", folder, "--yes" }, { "pending" }, { "orders" },
        { "status" }, { "resume", "-o", folder } } do
        local _, out, err = command.run(words, { ledger = ledger,
          terminal = terminal, transport = function(request)
            return { status = request.method == "POST" and 200 or 500,
              headers = {}, body = body }
          end })
        assert_harmless(out, terminal)
        assert_harmless(err, terminal)
      end
    end
  end)

  it("does nothing as the reason of a queue that has stopped", function()
    local ledger, list = folder .. "/h.db", folder .. "/h.jsonl"
    local lines = {}
    for index = 1, 3 do
      lines[index] = ('{"model":"videos","duration":5,"prompt":"x","key":"%d"}\n')
        :format(index)
    end
    files.write(list, table.concat(lines))
    local body = ANSWERS.refusal:gsub("@", function() return IN_JSON end)
    command.run({ "batch", list, "-o", folder, "--yes" }, { ledger = ledger,
      transport = function()
        return { status = 401, headers = {}, body = body }
      end })
    for _, more in ipairs { {}, { "--json" } } do
      local _, out = command.run({ "status", more[1] }, { ledger = ledger,
        terminal = true })
      assert.truthy(out:find("refused the API key", 1, true), out)
      assert_harmless(out)
    end
  end)
end)

describe("what a command line holds", function()
  for _, words in ipairs { { "@" }, { "query", "@" }, { "orders", "--@" },
    { "batch", "@" }, { "create", "--model", "@" }, { "generate", "-o", "@" },
    { "wait", "x", "--timeout", "@" }, { "limits", "--spend", "@" },
    { "ledger", "@", "x" }, { "doctor", "--offline", "--ca-file", "@" },
    { "query", "x", "--api-key-file", "@" }, { "query", "x", "--edition", "@" },
    { "sandbox", "--scenario", "@" }, { "gateway", "--host", "@" },
    { "create", "--params", "@" }, { "query", "x", "--base-url", "@" },
    { "doctor", "--offline", "--ledger", "@" }, { "query", "x", "--log", "@/x" } } do
    it("does nothing on a terminal: " .. table.concat(words, " "), function()
      for index, word in ipairs(words) do
        words[index] = word:gsub("@", function() return (ODD:gsub("%z", "")) end)
      end
      for _, more in ipairs { "-v", "--json" } do
        words[#words + 1] = more
        local _, out, err = command.run(words, { transport = function()
          return nil, { reason = "connect", message = "no connection" }
        end })
        assert_harmless(out)
        assert_harmless(err)
      end
    end)
  end
end)
