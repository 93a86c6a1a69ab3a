#!/bin/sh
# Builds Lua 5.5, of which this Debian has no package, with lua-cjson,
# LuaFileSystem and LuaDBI's driver for SQLite, from Debian's sources into
# build/lua5.5. What is pure Lua it takes from Debian's packages for Lua 5.4. Done
# once. Exit code 3: no source was found.
set -eu

cd "$(dirname "$0")/.."
prefix=$(pwd)/build/lua5.5
work=$prefix/source
. spec/debian_sources.sh

[ ! -e "$prefix/done" ] || exit 0

unreachable() {
  echo "No source of Lua 5.5: $*"
  exit 3
}

[ -n "$(debian_mirror)" ] || unreachable "apt knows no mirror of Debian here." >&2

release=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
rm -rf "$prefix"
mkdir -p "$prefix/bin" "$prefix/include" "$prefix/lib/lua/5.5/dbd" \
  "$prefix/lib/pkgconfig" "$prefix/share/lua/5.5/term"
debian_lists "$work" sid testing "$release"

# unpack PACKAGE SUITE...: into a folder of that name.
unpack() {
  cd "$work"
  found=$(debian_archive "$@")
  [ -n "$found" ] || unreachable "$(debian_mirror) hands out no $1."
  mkdir "$work/$1"
  tar -xf "${found% *}" -C "$work/$1" --strip-components=1
  cd "$work/$1"
}

# module NAME FLAG-OR-FILE...: what Lua 5.5 loads.
module() {
  name=$1
  shift
  gcc -O2 -w -fPIC -shared -I"$prefix/include" "$@" \
    -o "$prefix/lib/lua/5.5/$name.so"
}

# own_variable MODULE START: a copy of Debian's module in which lines that start
# so declare a variable of their own.
own_variable() {
  mkdir -p "$(dirname "$prefix/share/lua/5.5/$1")"
  sed "s/^\( *\)\($2\)/\1local \2/" "/usr/share/lua/5.4/$1.lua" \
    >"$prefix/share/lua/5.5/$1.lua"
}

build() {
  unpack lua5.5 sid testing
  echo '#undef LUA_PATH_DEFAULT' >>src/luaconf.h
  echo '#undef LUA_CPATH_DEFAULT' >>src/luaconf.h
  echo "#define LUA_PATH_DEFAULT \"$prefix/share/lua/5.5/?.lua;\"" \
    '"/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua;./?.lua"' \
    >>src/luaconf.h
  echo "#define LUA_CPATH_DEFAULT \"$prefix/lib/lua/5.5/?.so\"" >>src/luaconf.h
  cp src/lua.h src/luaconf.h src/lualib.h src/lauxlib.h "$prefix/include"
  rm -f src/luac.c src/onelua.c src/ltests.c
  gcc -O2 -w -DLUA_USE_LINUX -Wl,-E -o "$prefix/bin/lua5.5" src/*.c -lm -ldl
  printf '%s\n' 'Name: Lua' 'Description: Lua 5.5' 'Version: 5.5' \
    "Cflags: -I$prefix/include" >"$prefix/lib/pkgconfig/lua5.5.pc"
  unpack lua-cjson "$release" sid testing
  module cjson lua_cjson.c strbuf.c fpconv.c -lm
  unpack lua-filesystem "$release" sid testing
  sed -i 's/LUA_VERSION_NUM <= 504/LUA_VERSION_NUM <= 505/' src/lfs.c
  module lfs src/lfs.c
  unpack lua-dbi sid testing "$release"
  module dbd/sqlite3 -I. dbd/common.c dbd/sqlite3/*.c -lsqlite3
  # A loop's variable is constant in 5.5, and two modules assign to one.
  own_variable pl/tablex 'k = cycle_aware_copy(k, cache)'
  own_variable busted/modules/files/moonscript 'line = '
  # What busted needs of two modules in C that tell it of time and a terminal.
  echo 'return { gettime = os.time, monotime = os.clock }' \
    >"$prefix/share/lua/5.5/system.lua"
  echo 'return { isatty = function() return false end }' \
    >"$prefix/share/lua/5.5/term/core.lua"
}

# What goes wrong is told at the end: a function whose failure is asked for goes
# on after one.
tell() {
  status=$?
  [ $status -eq 0 ] || tail -n 20 "$prefix/log" >&3
  exit $status
}
exec 3>&2 >"$prefix/log" 2>&1
trap tell EXIT
build
touch "$prefix/done"
rm -rf "$work"
