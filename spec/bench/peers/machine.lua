--- What a reader must know of the machine to compare figures with those of another.

local shell = require "starvideos.nginx.shell"

local COMMANDS = {
  { "processor", [[sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1]] },
  { "cores", "nproc" },
  { "virtual", "grep -qw hypervisor /proc/cpuinfo && echo ' of a virtual machine'" },
  { "memory", [[awk '/^MemTotal/ { printf "%.1f GB", $2 / 1e6 }' /proc/meminfo]] },
  { "kernel", "uname -sr" },
  { "distribution", [[sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release]] },
  { "day", "date -u +%Y-%m-%d" },
  { "libcurl", "pkg-config --modversion libcurl" },
  { "cjson", [[lua5.4 -e 'print(require("cjson")._VERSION)']] },
  { "nginx", [[nginx -v 2>&1 | sed 's/.*nginx.//']] },
}

--- Ask this machine.
-- @tparam table known versions of the peers by name
-- @treturn table
return function(known)
  local machine = { peers = known }
  for _, row in ipairs(COMMANDS) do
    machine[row[1]] = shell.read(row[2])
  end
  return machine
end
