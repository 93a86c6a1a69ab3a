#!/bin/sh
# Installs what targets of the Makefile need, where there is apt; elsewhere
# says what it is. Does nothing, and needs no rights, where nothing is missing.
#
#   spec/packages.sh demo|test|lint|clients|libcurl|fuzz|memory|bench|peers|docs...
set -eu

packages_for() {
  case $1 in
  demo) echo gcc libc6-dev make pkg-config lua5.4 liblua5.4-dev \
    libcurl4-openssl-dev libssl-dev lua-cjson lua-argparse lua-dbi-sqlite3 \
    nginx libnginx-mod-http-lua ffmpeg ;;
  # luajit2, for Debian's nginx Lua module excludes the package luajit.
  test) echo lua5.1 liblua5.1-0-dev lua5.2 liblua5.2-dev \
    lua5.3 liblua5.3-dev luajit2 libluajit2-5.1-dev \
    lua-busted luarocks openssl curl procps locales-all \
    lua-dbi-postgresql postgresql pgbouncer \
    love xvfb zip neovim lua-luv lua-cqueues lua-copas zsh fish mandoc ;;
  security) echo devscripts systemd cppcheck ;;
  lint) echo lua-check clang ;;
  # A Node.js from elsewhere brings an npm that apt knows nothing of.
  clients) echo chromium
    command -v npm >/dev/null || echo nodejs npm ;;
  # What a libcurl of its own is built with.
  libcurl) echo libssl-dev libnghttp2-dev zlib1g-dev xz-utils ;;
  # SQLite's sources are put together by Tcl; Wine reaches TLS through GnuTLS.
  windows) echo gcc-mingw-w64-x86-64 wine wine64 libgnutls30 tcl xz-utils ;;
  # libFuzzer is only recommended by clang.
  fuzz) echo clang libclang-rt-dev ;;
  memory) echo valgrind ;;
  bench) echo curl wrk ;;
  peers) echo lua5.2 lua-cjson lua-curl lua-socket lua-http luarocks
    command -v npm >/dev/null || echo nodejs npm ;;
  docs) echo mkdocs mkdocs-material ;;
  *) echo "$0: no list named $1" >&2; exit 2 ;;
  esac
}

installed() {
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -o DPkg::Lock::Timeout=120 "$@"
}

wanted=
for list; do wanted="$wanted $(packages_for "$list")"; done

if ! command -v apt-get >/dev/null; then
  echo "There is no apt-get here. Please install what Debian calls" >&2
  echo " $wanted" >&2
  echo "and say so: make DEPS=true ..." >&2
  exit 1
fi

missing=
for package in $wanted; do
  installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
  echo "Please install, as root: apt-get install$missing" >&2
  exit 1
fi

# The packages nginx, postgresql and pgbouncer start a server at once and at every
# boot. Nobody asked for that here, so they may do neither.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'as_root rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
fi

# A server that was here before is its owner's.
quiet=
for package in nginx-common postgresql-common pgbouncer; do
  installed "$package" || quiet="$quiet ${package%-common}"
done

echo "Installing$missing"
apt update || : # what the lists lack, the next line names
# Unquoted: one word a package. What is there already is left as it is.
apt install --yes --no-install-recommends --no-remove $missing

for service in $quiet; do
  [ ! -e "/etc/init.d/$service" ] || as_root update-rc.d "$service" disable
done
