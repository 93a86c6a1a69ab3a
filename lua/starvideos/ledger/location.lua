-- Where a ledger is: the path of a file, or the address of a server, which may hold a
-- password and is never shown with it.

local c_locale = require "starvideos.base.c_locale"
local core = require "starvideos.core"
local redact = require "starvideos.base.redact"

local _M = {}

local servers = { postgres = true, postgresql = true }

-- What looks like the address of something else: as the name of a file its
-- password would be shown.
local foreign = { "^%a[%w+.-]+:[\\/]", "://", "^/*[^/]*:[^/]*@",
  "[Pp][Aa][Ss][Ss]%w*%s*=", "[Pp][Ww][Dd]%s*=" }

local FOREIGN = "a ledger is the path of a SQLite file, or an address that"
  .. " begins with postgres://; this one looks like the address of something"
  .. " else (put ./ before the name of such a file)"

local AMBIGUOUS = "the address of the ledger's PostgreSQL server is ambiguous:"
  .. " in user and password write %40 for @, %2F for / and %3A for :, or give the"
  .. " password in PGPASSWORD or ~/.pgpass"

-- For libpq the password ends at the first @ before a slash; it would show the
-- rest of it as the name of a host, or its port.
local function is_plain(rest)
  local authority, beyond = rest:match "^([^/]*)([^?]*)"
  local user, servers_part = authority:match "^(.-)@(.*)$"
  local hosts = (servers_part or authority):match("^[^?]*"):gsub("%b[]", "")
  return not (authority .. beyond):find "%s"
    and not (servers_part or ""):match("^[^?]*"):find("@", 1, true)
    and not beyond:find("@", 1, true) and not hosts:find ":[^%d,]"
    and not (user or ""):find ":.*:"
end

-- Only a path has one letter and a colon before a slash.
local function without_drive(address)
  return core.system() == "windows"
    and address:gsub("^%s*%a:([/\\])", "%1") or address
end

-- Read the address of a ledger. Returns location with `address` as a driver takes it;
-- `server` (true for PostgreSQL) or `path` (true, unless it is SQLite's name for a
-- database that goes with its connection), and why it cannot be read, with nothing of
-- it.
function _M.read(address)
  local scheme, rest = address:match "^%s*(%a+)://(.*)$"
  scheme = scheme and c_locale.lower(scheme)
  if servers[scheme] then
    rest = rest:match "^.*%S" or ""
    if not is_plain(rest) then
      return nil, AMBIGUOUS
    end
    return { address = scheme .. "://" .. rest, server = true }
  end
  local text = without_drive(address):match "^%s*(.*)$"
  for _, pattern in ipairs(foreign) do
    if not text:find "^%.%.?[/\\]" and text:find(pattern) then
      return nil, FOREIGN
    end
  end
  return { address = address, path = address ~= ":memory:" or nil }
end

-- An address as it may be shown. `with_user`: leave the user's name in it (default
-- false).
function _M.shown(address, with_user)
  local location = _M.read(address)
  if not location then
    return "[redacted]"
  end
  return location.server and redact.address(address, with_user) or address
end

-- The hosts that libpq would connect to; nil where a service file names them.
local function hosts_of(rest)
  local authority, options = rest:match "^([^/?]*)[^?]*(.*)$"
  if options:find "[?&]service=" or core.getenv "PGSERVICE" then
    return nil
  end
  local hosts = authority:gsub("^.*@", "")
  return hosts ~= "" and hosts or options:match "[?&]host=([^&]*)"
    or options:match "[?&]hostaddr=([^&]*)" or core.getenv "PGHOST" or ""
end

-- What an operator should know of an address: whether the connection to a server on
-- another machine may be unencrypted, because nobody has decided that. Returns a
-- sentence with the cure.
function _M.unencrypted(address)
  local location = _M.read(address)
  local rest = location and location.server and location.address:match "://(.*)$"
  if not rest or rest:find "[?&]sslmode=" or core.getenv "PGSSLMODE" then
    return nil
  end
  for host in (hosts_of(rest) or ""):gmatch "[^,]+" do
    local name = host:match "^(%[.*%])" or host:match "^[^:]*"
    if not name:find "^[/@%%]" and not core.is_loopback(name) then
      return ("the connection to the ledger's PostgreSQL server %s may be"
        .. " unencrypted: add ?sslmode=verify-full (or require, or disable) to"
        .. " its address, or set PGSSLMODE"):format(name)
    end
  end
end

-- File systems of several machines, by the names that Linux, macOS, the BSDs and
-- `core` have for them; of FUSE behind "fuse.".
local networks = {}
for name in (
  "nfs nfs4 smb smb2 smb3 smbfs cifs 9p afs afpfs ceph coda lustre gpfs ocfs2 gfs2"
  .. " beegfs orangefs glusterfs vboxsf vmhgfs webdav ncpfs network sshfs s3fs rclone"
  .. " gcsfuse goofys geesefs mount-s3 blobfuse blobfuse2 juicefs seaweedfs mfs"
  .. " moosefs lizardfs ceph-fuse davfs davfs2 curlftpfs smbnetfs gvfsd-fuse kio-fuse"
  .. " vmhgfs-fuse hdfs onedriver google-drive-ocamlfuse"
  ):gmatch "%S+" do
  networks[name] = true
end

-- Whether several machines may have a file system. `name`: as `core.file_system` gives
-- it.
function _M.is_network(name)
  return name ~= nil and networks[(c_locale.lower(name):gsub("^fuse%.", ""))] == true
end

-- What became of a ledger's file, by the words of `core.sqlite_file`, or of the way to its
-- server (`pooled`), and what to do; `is_lost`: what is written then is read by nobody else.
_M.misplaced = {
  missing = { what = "its file was moved or removed while this program had it open",
    cure = "put it back, or end this program before you begin another ledger",
    is_lost = true },
  replaced = { what = "another file has taken its place since this program opened"
    .. " it", cure = "put the former one back, or run this program again if the one"
    .. " that is there holds all orders", is_lost = true },
  log = { what = "the file beside it that ends with -wal or -shm was removed or"
    .. " replaced while this program had it open", cure = "end all programs that use"
    .. " this ledger, and run them again", is_lost = true },
  linked = { what = "its file has another name (a hard link), and who uses that sees"
    .. " other orders", cure = "remove one of the names" },
  mounted = { what = "its file is mounted alone, and who uses it from outside sees"
    .. " other orders", cure = "mount the folder, not the file" },
  network = { what = "it is on a network file system (%s), by which two machines"
    .. " could buy the same order", cure = "put it on a disk of this machine, or use"
    .. " a postgres:// ledger, which many machines may share" },
  pooled = { what = "a pooler, such as PgBouncer in transaction mode, lets programs take"
    .. " turns on one connection to the PostgreSQL server, so that a statement of another"
    .. " program could run in place of this one's", cure = "set its pool_mode to session,"
    .. " or connect to the server itself, and run this program again" },
}

return _M
