-- `make types`: writes lua/starvideos/types.

local docstrings = require "docs.reference.docstrings"
local luacats = require "docs.reference.luacats"
local pages = require "docs.reference.pages"

local FOLDER = "lua/starvideos/types/"

os.execute("mkdir -p " .. FOLDER .. "starvideos/loop")
for name, text in pairs(luacats.files(docstrings.read(), pages)) do
  local file = assert(io.open(FOLDER .. name, "wb"))
  assert(file:write(text))
  assert(file:close())
end
