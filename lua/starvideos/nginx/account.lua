-- Who nginx's workers run as: where root starts it, an account that was named. And what
-- that may read and write.

local core = require "starvideos.core"
local file = require "starvideos.nginx.file"
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

-- Its number, its group's, its name and its group's; nothing where there is none.
local function asked(user)
  return shell.read(shell.fill("for what in -u -g -un -gn; do id $what -- @user@; done"
    .. " 2>/dev/null", { user = user })):match "^(%d+)\n(%d+)\n([^\n]*)\n([^\n]*)$"
end

-- Find the account. `user`: that was asked for; needed where this is root. Returns
-- account: `as` (what a shell command begins with so that it runs as that account);
-- and, where this is root, `user`, `group`, `uid` and `gid`, and why there is none.
function _M.find(user)
  if shell.read "id -u" ~= "0" then
    if user and user ~= shell.read "id -un" then
      return nil, "only root can start nginx as another account (--user)"
    end
    return { as = "" }
  elseif not user then
    return nil, UNNAMED
  end
  local uid, gid, name, group = asked(user)
  if not uid then
    return nil, "there is no account " .. user
  end
  return { user = name, group = group, uid = tonumber(uid), gid = tonumber(gid),
    as = AS:format(uid, gid) }
end

-- Whether an account may do something with a file. `mode`: of `test`: `r`, `w` or `x`.
function _M.may(account, mode, path)
  return (shell.run(account.as .. shell.fill("test -" .. mode .. " @path@",
    { path = path })))
end

-- Whether root starts the gateway and its workers run as somebody else.
function _M.is_apart(user)
  local uid = user and shell.read "id -u" == "0" and asked(user)
  return uid and uid ~= "0" or false
end

-- A folder that was there before keeps its mode. No command here follows a link:
-- chown -h changes the link itself.
local MAKE = [[
exec 2>&1; umask 027; made=
[ -d @folder@ ] || { mkdir -p @folder@ && made=.; } || exit
cd @folder@ && mkdir -p logs tmp files || exit
[ -z @group@ ] || {
  [ -z "$made" ] || chown -h ":"@group@ . || exit
  mkdir -p ledger && chown -h "0:"@group@ logs && chown -h @owner@ tmp files ledger
}]]

-- What is there that is not root's alone: nothing, or the name of the first. nginx
-- gives `tmp` to its account, and would follow a link there; and files of logs, when
-- it opens them again.
local FIND_FOREIGN = [[
cd @folder@ 2>/dev/null || exit 0
find . \( -path './tmp/*' -o -path './files/*' -o -path './ledger/*' \) -prune -o \
  \( -type l ! -path ./files ! -path ./ledger -print \) -o \
  \( ! -path ./tmp ! -path ./files ! -path ./ledger \
     \( ! -user 0 ! -path './logs/*' -o ! -type l -perm /022 \) -print \) |
  head -n 1]]

-- The first folder that an account may change though root trusts what is in it: the
-- gateway's, its logs, and those above, by the names that were given and by those
-- that links lead to. In a sticky folder others keep what is theirs.
local FIND_OPEN = [[
sh -c 'for place; do
  while [ "$place" != / ]; do
    place=$(dirname -- "$place")
    if [ -O "$place" ] || { [ -w "$place" ] && [ ! -k "$place" ]; }; then
      echo "$place"
      exit
    fi
  done
done' sh @logs@/x @real@/x]]

local FOREIGN = [[
root starts this gateway, and would trust what others can change in %s: %s
If a gateway of an older version ran there, stop it, and hand the folder to root:
  cd %s
  chown -h root:%s . && chmod 750 .
  rm -rf logs tmp nginx.conf gateway.conf settings.json nginx.pid alive run-*
  [ ! -e secret ] || chown -h root:root secret
  mkdir -p ledger && mv -n ledger.db* ledger/
  chown -Rh %s:%s ledger files
Otherwise choose another folder with --folder]]

local UNREADABLE = "the account that nginx runs as cannot %s %s: give it access,"
  .. " also to the folders above it, or name another account with --user"

-- nil, or what is wrong with a folder that root is about to trust.
local function distrust(folder, account)
  local foreign = shell.read(shell.fill(FIND_FOREIGN, { folder = folder }))
  if foreign ~= "" then
    foreign = foreign == "." and "the folder itself" or foreign:gsub("^%./", "")
    return FOREIGN:format(folder, foreign, shell.quote(folder), account.group,
      account.user, account.group)
  end
  local logs = folder .. "/logs"
  local open = shell.read(account.as .. shell.fill(FIND_OPEN, { logs = logs,
    real = core.real(logs) or logs }))
  if open ~= "" then
    return ("the account %s may change %s, and so what root reads and writes in %s:"
      .. " choose another folder with --folder"):format(account.user, open, folder)
  end
end

-- Make the folder of a gateway, or complete it: what nginx reads and writes. Nothing
-- that is made there is for others to read. Where root starts the gateway, the folder
-- is root's, with all that root reads or writes there: the workers' account may change
-- nothing but what is in `files`, `tmp` and `ledger`. Returns what is wrong.
function _M.make_folder(folder, account)
  local is_apart = _M.is_apart(account.user)
  local why = is_apart and distrust(folder, account)
  if why then
    return nil, why
  end
  local trouble = shell.read(shell.fill(MAKE, { folder = folder,
    group = is_apart and account.gid or "",
    owner = is_apart and account.uid .. ":" .. account.gid or "" }))
  if trouble ~= "" then
    return nil, ("the folder %s cannot be made (%s)"):format(folder, trouble)
  end
  for _, place in ipairs { "tmp", "files" } do
    if not _M.may(account, "w", folder .. "/" .. place) then
      return nil, UNREADABLE:format("write to", folder .. "/" .. place)
    end
  end
  return true
end

-- Whether nginx's account can read files. Returns what is wrong.
function _M.can_read(account, list)
  for _, path in ipairs(list) do
    if not _M.may(account, "r", path) then
      return nil, UNREADABLE:format("read", path)
    end
  end
  return true
end

-- Write a file that its owner alone may read. Returns what is wrong.
function _M.write_private(path, text)
  os.remove(path)
  local made, why = core.private_file(path)
  if made then
    made, why = file.write(path, text)
  end
  return made, why and ("cannot write %s (%s)"):format(path, why)
end

return _M
