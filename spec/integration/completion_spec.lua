-- The completions, in the shells themselves; and the manual page, as its checkers
-- read it.

local files = require "spec.fixtures.files"
local manual = require "starvideos.cli.manual"

local function quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function read(command)
  local pipe = io.popen(command, "r")
  local text = pipe:read "*a"
  pipe:close()
  return text
end

-- What is typed, and what becomes of it at a Tab, where only one word is possible: in
-- any shell, or in those that are named. argparse takes what it has no choices for to
-- be a file; the arguments of commands have none in bash and fish; bash splits words
-- at : and =.
local LINES = {
  { "starvideos gene", "starvideos generate" },
  { "starvideos gateway --print-c", "starvideos gateway --print-config" },
  { "starvideos wait --mod", "starvideos wait --mod" }, -- of another command
  { "starvideos generate -m videos_f", "starvideos generate -m videos_fast" },
  { "starvideos generate --model videos_f",
    "starvideos generate --model videos_fast" },
  { "starvideos create --edition m", "starvideos create --edition mingyan" },
  { "starvideos validate --ratio 21", "starvideos validate --ratio 21:9" },
  { "starvideos validate --ratio 21:", "starvideos validate --ratio 21:9",
    bash = "starvideos validate --ratio 21:" },
  { "starvideos validate --ratio=21", "starvideos validate --ratio=21",
    fish = "starvideos validate --ratio=21:9" },
  { "starvideos orders --state comp", "starvideos orders --state completed" },
  { "starvideos sandbox --scenario link_e",
    "starvideos sandbox --scenario link_expired" },
  { "starvideos generate -o kit", "starvideos generate -o kitten.mp4" },
  { "starvideos batch a", "starvideos batch a\\ list.jsonl" },
  { "starvideos work -o v", "starvideos work -o videos" },
  { "starvideos completion z", "starvideos completion zsh",
    bash = "starvideos completion z", fish = "starvideos completion z" },
  { "starvideos ledger b", "starvideos ledger backup",
    bash = "starvideos ledger b", fish = "starvideos ledger b" },
  { "starvideos create --prompt kit", "starvideos create --prompt kitten.mp4" },
  { "starvideos create kit", "starvideos create kitten.mp4",
    zsh = "starvideos create kit" },
}

describe("completion", function()
  local folder

  setup(function()
    folder = files.folder()
    os.execute(("cd %s && touch kitten.mp4 'a list.jsonl' && mkdir videos")
      :format(quoted(folder)))
    for _, shell in ipairs { "bash", "zsh", "fish" } do
      local file = assert(io.open(folder .. "/." .. shell, "wb"))
      file:write(manual.completion(shell))
      file:close()
    end
  end)

  teardown(function()
    os.execute("rm -rf " .. quoted(folder))
  end)

  -- What an interactive shell has made of lines.
  local function typed(shell, setup_words)
    local typist = read "pwd":match "^[^\n]*" .. "/spec/fixtures/type.zsh"
    local words = {}
    for index, line in ipairs(LINES) do
      words[index] = quoted(line[1])
    end
    local text = read(("cd %s && HOME=$PWD timeout 120 zsh -f %s %s %s %s"
      .. " </dev/null 2>&1"):format(quoted(folder), quoted(typist), shell,
      quoted(setup_words), table.concat(words, " ")))
    local list = {}
    for line in text:gsub("\r", ""):gmatch "[^\n]+" do
      local made = line:match "<(starvideos [^<]*)>$"
      list[#list + 1] = made and made:gsub("[ /=]+$", "") or nil
    end
    return list, text
  end

  for shell, setup_words in pairs { bash = "source ./.bash",
    zsh = "autoload -U compinit; compinit -u -D; source ./.zsh" } do
    it("completes words in " .. shell, function()
      local found, text = typed(shell, setup_words)
      assert.equal(#LINES, #found, text)
      for index, line in ipairs(LINES) do
        assert.equal(line[shell] or line[2], found[index])
      end
    end)
  end

  it("completes words in fish", function()
    for _, line in ipairs(LINES) do
      local candidates = read(("cd %s && HOME=$PWD fish --no-config -c"
        .. " 'source ./.fish; complete -C \"%s\"' 2>&1"):format(quoted(folder),
        line[1]))
      local made = line.fish or line[2]
      local wanted = made:match "(%S+)$":gsub("^list", "a list")
      if made == line[1] then
        assert.equal("", candidates, line[1])
      else
        assert.equal(wanted, candidates:match "^[^\t\n/]*", line[1])
        assert.is_nil(candidates:find("\n.", 1), candidates)
      end
    end
  end)
end)

describe("the manual page", function()
  it("has nothing that mandoc or man warn of", function()
    local name = os.tmpname()
    finally(function() os.remove(name) end)
    local file = assert(io.open(name, "wb"))
    file:write(manual.text())
    file:close()
    assert.equal("", read("mandoc -Tlint -Wwarning " .. name .. " 2>&1"))
    assert.truthy(read("mandoc -Thtml " .. name):find "EXIT%s+STATUS")
  end)
end)
