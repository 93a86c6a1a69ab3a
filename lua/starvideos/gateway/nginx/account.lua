--- Who nginx's workers run as: where root starts it, somebody else.
-- @module starvideos.gateway.nginx.account

local daemon = require "starvideos.nginx.daemon"
local shell = require "starvideos.nginx.shell"

local _M = {}

-- How to run a command as an account.
local AS = "setpriv --reuid=%s --regid=%s --clear-groups "

-- Of the folder; where it is not there of that of the ledger, or of its parent.
local OWNER = [[
for place in @folder@ @ledger@ @parent@; do
  [ ! -d "$place" ] || exec stat -c %U "$place"
done
echo root]]

local function named(user)
  local uid = shell.read(shell.fill("id -u -- @user@ 2>/dev/null", { user = user }))
  if uid == "" then
    return nil, "there is no account " .. user
  end
  local gid = shell.read(shell.fill("id -g -- @user@", { user = user }))
  return { user = user, group = shell.read(shell.fill("id -gn -- @user@",
    { user = user })), owner = uid .. ":" .. gid, as = AS:format(uid, gid) }
end

--- Find the account.
-- @tparam ?string user that was asked for; nil: who owns the gateway's folder,
--   or what it would be made in; where that is root the first of
--   `daemon.ACCOUNTS`
-- @tparam string folder absolute
-- @tparam ?string ledger absolute; nil where it is no file
-- @treturn ?table account: `as` (what a shell command begins with so that it runs as
--   that account); and, where this is root, `user`, `group` and `owner`, as chown
--   takes it
-- @treturn ?string why there is none
function _M.find(user, folder, ledger)
  if shell.read "id -u" ~= "0" then
    if user and user ~= shell.read "id -un" then
      return nil, "only root can start nginx as another account (--user)"
    end
    return { as = "" }
  elseif user then
    return named(user)
  end
  local owner = shell.read(shell.fill(OWNER, { folder = folder,
    ledger = ledger and ledger:match "^(.*)/" or "",
    parent = folder:match "^(.*)/" }))
  local account = owner ~= "root" and named(owner)
  for _, name in ipairs(daemon.ACCOUNTS) do
    account = account or named(name)
  end
  return account or nil, "root starts this gateway: name an account for its"
    .. " workers with --user"
end

--- Whether an account may do something with a file.
-- @tparam table account
-- @tparam string mode of `test`: `r`, `w` or `x`
-- @tparam string path
-- @treturn boolean
function _M.may(account, mode, path)
  return (shell.run(account.as .. shell.fill("test -" .. mode .. " @path@",
    { path = path })))
end

return _M
