-- The recipe of the cookbook that is for OpenAI's client.

local document = require "spec.fixtures.document"
local kitchens = require "spec.fixtures.kitchen"
local openai_client = require "spec.fixtures.openai_client"
local shell = require "starvideos.nginx.shell"

-- nginx's own account may not be allowed to read the library.
local PROGRAM = [[
mkdir -p node_modules && ln -s @modules@/openai-@version@ node_modules/openai
%s --interval 0.2 --user "$(id -un)" &
until curl -s -o /dev/null 127.0.0.1:@port@; do sleep 0.1; done
node order.mjs]]

for _, version in ipairs(openai_client.versions) do
  describe("OpenAI's client " .. version, function()
    it("makes the video of the cookbook", function()
      local kitchen = kitchens.new()
      finally(function() kitchen:close() end)
      local command
      for _, block in ipairs(document.blocks(
        document.read "docs/cookbook.md")) do
        if block.title == "OpenAI's client, through a gateway" then
          local code = block.code:gsub("8080", kitchen.port)
          if block.language == "sh" then
            command = code
          else
            kitchen:write(block.name, code)
          end
        end
      end
      local output, well = kitchen:run(shell.fill(PROGRAM, {
        modules = shell.read "pwd" .. "/build/clients/node_modules",
        version = version, port = kitchen.port }):format(command))
      assert.is_true(well, output)
      assert.matches("completed\n", output)
      assert.is_true(kitchen:has_video "kitten.mp4")
      assert.equal(1, kitchen:books().posts)
    end)
  end)
end
