-- The command in a console of Windows: this Lua is the person's, at a terminal in
-- which Wine runs the command.

local books = require "spec.fixtures.books"
local core = require "starvideos.core"
local files = require "spec.fixtures.files"
local nginx = require "starvideos.sandbox.nginx"
local process = require "spec.fixtures.process"
local shell = require "starvideos.nginx.shell"

local COMMAND = [[
cd @folder@
export WINEPREFIX=@root@/wine WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
export LUA_PATH="Z:@parts@/modules/@lua@/?.lua;Z:/usr/share/lua/5.1/?.lua"
export LUA_CPATH="Z:@root@/@lua@/?.dll;Z:@parts@/modules/@lua@/?.dll"
export STARVIDEOS_API_KEY=@key@ STARVIDEOS_BASE_URL=@url@
exec wine @parts@/bin/@lua@.exe ]]

-- A host's own loop: nothing of ours handles Ctrl-C in it.
local SCRIPT = [[
local engine = require("starvideos.curl").network { inline = true }
local _, why = pcall(function()
  io.stderr:write "waiting"
  while true do
    engine:step(600)
  end
end)
io.stderr:write(why)
os.exit(7)
]]

local OURS = "Z:@root@/@lua@/bin/starvideos.lua"

-- How long the slowest machine may take, and Ctrl-C: far less than the video.
local SECONDS, NOTICE_SECONDS, VIDEO_SECONDS = 60, 10, 300

for _, lua in ipairs { "lua5.4", "luajit" } do
  describe("the command in a console, on " .. lua, function()
    local server, folder

    setup(function()
      server = assert(nginx.start { seconds = VIDEO_SECONDS })
      folder = files.folder() .. "/Müller 影片"
      assert(core.disk("make_directory", folder))
      files.write(folder .. "/script.lua", SCRIPT)
      files.write(folder .. "/list.jsonl",
        '{"model":"videos","prompt":"asked","duration":5,"path":"a.mp4"}\n')
    end)

    teardown(function()
      server:stop()
      files.remove((folder:match "^(.*)/"))
    end)

    local function text_of(program, command)
      local root = core.directory() .. "/build/windows"
      local words = { folder = folder, root = root, parts = root .. "/prefix",
        lua = lua, key = server.key, url = server.base_url }
      return ((COMMAND .. program):gsub("@(%w+)@", function(name)
        return name == "folder" and shell.quote(words[name]) or words[name]
      end)) .. " " .. command
    end

    -- What a console shows, less where: Wine draws blanks by moving the cursor.
    local function start(command, program)
      local self, seen, has_ended, code = {}, "", false, nil
      local child, descriptor = process.terminal(text_of(
        program or OURS, command), 100, 24)
      local function step()
        if process.readable(descriptor, 0.2) then
          local bytes = process.read(descriptor)
          has_ended = not bytes or bytes == ""
          seen = seen .. (bytes or "")
        end
        self.shown = seen:gsub("\27%[[?%d;]*%a", ""):gsub("[%s%c]", "")
      end
      function self.await(text, seconds)
        local deadline = core.now() + (seconds or SECONDS)
        repeat
          assert(not has_ended and core.now() < deadline, text .. " is not in "
            .. tostring(self.shown))
          step()
        until self.shown:find(text, 1, true)
      end
      function self.type(keys)
        assert(process.write(descriptor, keys))
      end
      -- Wine's own processes, which the first command starts, keep the terminal.
      function self.finish()
        local deadline = core.now() + SECONDS
        while not code and core.now() < deadline do
          step()
          code = process.ended(child)
        end
        process.close(descriptor)
        return code
      end
      return self
    end

    it("tells in UTF-8 how to go on, at once after Ctrl-C", function()
      local person = start [[generate --model videos --prompt 'Größe 影' \
        --duration 5 -o '猫 ü.mp4' --ledger 'Bücher.db']]
      person.await "ordered"
      person.await "queued"
      person.type "\3"
      person.await("cancelled:stoppedwaiting", NOTICE_SECONDS)
      assert.equal(130, person.finish())
      assert.truthy(person.shown:find('-o"猫ü.mp4"', 1, true), person.shown)
      assert.equal("Größe 影", books.of(server).tasks[1].prompt)
      assert.equal("file", core.kind(folder .. "/Bücher.db"))
    end)

    -- LuaJIT raises it now and then where no pcall of the script's catches it.
    local script = lua == "lua5.4" and it or function() end
    script("leaves Ctrl-C to the interpreter, in which a script waits", function()
      local person = start("", "script.lua")
      person.await "waiting"
      person.type "\3"
      person.await("interrupted!", NOTICE_SECONDS)
      assert.equal(7, person.finish())
    end)

    it("orders nothing after Ctrl-C at the question", function()
      local before = #books.of(server).tasks
      for _, begun in ipairs { "", "y" } do
        local person = start "batch list.jsonl -o . --ledger asked.db"
        person.await "[y/N]"
        person.type(begun)
        person.type "\3"
        person.await("interrupted", NOTICE_SECONDS)
        assert.equal(130, person.finish())
      end
      assert.equal(before, #books.of(server).tasks)
    end)

    it("orders after yes", function()
      local before = #books.of(server).tasks
      local person = start "batch list.jsonl -o . --ledger asked.db"
      person.await "[y/N]"
      person.type "nx\127\127y\r"
      person.await "1running"
      person.type "\3"
      person.await("stillopen", NOTICE_SECONDS)
      assert.equal(130, person.finish())
      assert.equal(before + 1, #books.of(server).tasks)
    end)
  end)
end
