--- Who nginx's workers run as: where root starts it, an account that was named.
-- @module starvideos.nginx.account

local shell = require "starvideos.nginx.shell"

local _M = {}

-- How to run a command as an account: with all its groups, as nginx's workers run.
local AS = "setpriv --reuid=%s --regid=%s --init-groups "

-- Not one that is there already, such as nobody: other services run as it, and
-- could write what this gateway reads.
local UNNAMED = [[
root starts this gateway: name an account for its workers with --user
Nothing else should run as that account. To make one, and start the gateway with it:
  useradd --system --no-create-home --shell /usr/sbin/nologin starvideos
  starvideos gateway --user starvideos]]

local function asked(word, user)
  return shell.read(shell.fill("id " .. word .. " -- @user@ 2>/dev/null",
    { user = user }))
end

--- Find the account.
-- @tparam ?string user that was asked for; needed where this is root
-- @treturn ?table account: `as` (what a shell command begins with so that it runs as
--   that account); and, where this is root, `user`, `group`, `uid` and `gid`
-- @treturn ?string why there is none
function _M.find(user)
  if shell.read "id -u" ~= "0" then
    if user and user ~= shell.read "id -un" then
      return nil, "only root can start nginx as another account (--user)"
    end
    return { as = "" }
  elseif not user then
    return nil, UNNAMED
  end
  local uid, gid = asked("-u", user), asked("-g", user)
  if uid == "" then
    return nil, "there is no account " .. user
  end
  return { user = asked("-un", user), group = asked("-gn", user),
    uid = tonumber(uid), gid = tonumber(gid), as = AS:format(uid, gid) }
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

--- Whether root starts the gateway and its workers run as somebody else.
-- @tparam ?string user see `find`
-- @treturn boolean
function _M.is_apart(user)
  local uid = user and shell.read "id -u" == "0" and asked("-u", user) or ""
  return uid ~= "" and uid ~= "0"
end

return _M
