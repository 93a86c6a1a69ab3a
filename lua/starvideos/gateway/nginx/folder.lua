--- The folder of a gateway: what nginx reads and writes. Nothing that is made here
-- is for others to read.
-- @module starvideos.gateway.nginx.folder

local accounts = require "starvideos.gateway.nginx.account"
local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
local shell = require "starvideos.nginx.shell"

local _M = {}

-- A folder that was there before keeps its mode and its owner.
local MAKE = [[
exec 2>&1; umask 027; made=
[ -d @folder@ ] || { mkdir -p @folder@ && made=.; } || exit
cd @folder@ && mkdir -p logs tmp files &&
{ [ -z @owner@ ] || chown @owner@ $made logs tmp files; }]]

local UNREADABLE = "the account that nginx runs as cannot %s %s: give it access,"
  .. " also to the folders above it, or name another account with --user"

--- Make it, or complete it.
-- @tparam string folder absolute
-- @tparam table account see `starvideos.gateway.nginx.account`
-- @treturn ?boolean true
-- @treturn ?string what is wrong
function _M.make(folder, account)
  local trouble = shell.read(shell.fill(MAKE, { folder = folder,
    owner = account.owner or "" }))
  if trouble ~= "" then
    return nil, ("the folder %s cannot be made (%s)"):format(folder, trouble)
  elseif not accounts.may(account, "w", folder) then
    return nil, UNREADABLE:format("write to", folder)
  end
  return true
end

--- Whether nginx's account can read files.
-- @tparam table account
-- @tparam table list of paths
-- @treturn ?boolean true
-- @treturn ?string what is wrong
function _M.can_read(account, list)
  for _, path in ipairs(list) do
    if not accounts.may(account, "r", path) then
      return nil, UNREADABLE:format("read", path)
    end
  end
  return true
end

--- Write a file that its owner alone may read.
-- @tparam string path
-- @tparam string text
-- @treturn ?boolean true
-- @treturn ?string what is wrong
function _M.write(path, text)
  os.remove(path)
  local made, why = core.private_file(path)
  if made then
    made, why = file.write(path, text)
  end
  return made, why and ("cannot write %s (%s)"):format(path, why)
end

return _M
