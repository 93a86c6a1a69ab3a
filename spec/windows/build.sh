#!/bin/sh
# Builds for Windows, with mingw-w64 and from Debian's source packages, what the
# library needs there and what its specs need: Lua 5.4 and LuaJIT, lua-cjson,
# LuaDBI's driver for SQLite, LuaFileSystem, luv, and libcurl with Schannel.
# Each is built once, into build/windows/prefix:
#
#   bin        lua5.4.exe, luajit.exe, lua54.dll, lua51.dll, libcurl.dll
#   include    lua5.4, luajit, curl; lib has what the linker needs: -llua5.4,
#              -lluajit, -lcurl
#   modules    lua5.4 and luajit: what package.cpath and package.path look for
#
# build/windows/bin has `lua5.4` and `luajit` that Wine runs: see lua.sh.
# `spec/windows/build.sh` builds all, with words after it only these parts.
set -eu

cd "$(dirname "$0")/../.."
here=$(pwd)
root=$here/build/windows
prefix=$root/prefix
sources=$root/sources
stamps=$root/stamps
target=x86_64-w64-mingw32
cc="$target-gcc"
. "$here/spec/debian_sources.sh"
mkdir -p "$sources" "$stamps" "$root/log" "$prefix/bin" "$prefix/lib" \
  "$prefix/include" "$prefix/modules/lua5.4" "$prefix/modules/luajit"

# source_of PACKAGE: unpacks it to a folder of that name, and enters it. Where
# the mirror lacks this release's a newer one will do.
source_of() {
  cd "$sources"
  set -- "$1" "$(. /etc/os-release && echo "$VERSION_CODENAME")" stable testing sid
  if [ ! -d lists ]; then
    package=$1
    shift
    debian_lists "$sources" "$@"
    set -- "$package" "$@"
  fi
  export APT_CONFIG="$sources/apt.conf"
  apt_work=$sources
  found=$(debian_archive "$@")
  [ -n "$found" ] || {
    echo "Debian's mirror hands out no source of $1" >&2
    return 3
  }
  rm -rf "$1"
  mkdir "$1"
  tar -xf "${found% *}" -C "$1" --strip-components=1
  cd "$1"
}

# objects FLAG... -- FILE.c...: compiles files into this folder, side by side.
objects() {
  flags=
  while [ "$1" != -- ]; do flags="$flags $1"; shift; done
  shift
  # Unquoted: flags are words without blanks.
  printf '%s\n' "$@" | xargs -P "$(nproc)" -n 8 "$cc" -O2 -w $flags -c
}

# module LUA NAME FLAG-OR-FILE...: links what a Lua loads.
module() {
  lua=$1
  output=$prefix/modules/$1/$2.dll
  shift 2
  mkdir -p "$(dirname "$output")"
  "$cc" -O2 -w -shared -s -static-libgcc -I"$prefix/include/$lua" "$@" \
    -L"$prefix/lib" "-l$lua" -o "$output"
}

build_lua5_4() {
  source_of lua5.4
  cd src
  headers="lua.h luaconf.h lualib.h lauxlib.h"
  mkdir -p "$prefix/include/lua5.4"
  cp $headers "$prefix/include/lua5.4"
  objects -DLUA_BUILD_AS_DLL -DLUA_COMPAT_5_3 -- l*.c
  rm luac.o
  mv lua.o main.obj
  "$cc" -shared -s -static-libgcc -o "$prefix/bin/lua54.dll" ./*.o \
    -Wl,--out-implib,"$prefix/lib/liblua5.4.a"
  "$cc" -s -static-libgcc -o "$prefix/bin/lua5.4.exe" main.obj \
    -L"$prefix/lib" -llua5.4
}

build_luajit() {
  source_of luajit2
  make -j"$(nproc)" -C src HOST_CC=gcc CROSS="$target-" TARGET_SYS=Windows \
    TARGET_DLLDOTANAME=libluajit.a
  cd src
  mkdir -p "$prefix/include/luajit" "$prefix/modules/luajit/jit"
  cp lua.h luaconf.h lualib.h lauxlib.h luajit.h "$prefix/include/luajit"
  cp luajit.exe lua51.dll "$prefix/bin"
  cp libluajit.a "$prefix/lib"
  cp jit/*.lua "$prefix/modules/luajit/jit"
}

build_nghttp2() {
  source_of nghttp2
  version=$(sed -n 's/^AC_INIT(\[nghttp2\], \[\([0-9.]*\).*/\1/p' configure.ac)
  # Unquoted: one word a number.
  number=$(printf '0x%02x%02x%02x' $(echo "$version" | tr . ' '))
  cd lib
  sed "s/@PACKAGE_VERSION@/$version/; s/@PACKAGE_VERSION_NUM@/$number/" \
    includes/nghttp2/nghttp2ver.h.in >includes/nghttp2/nghttp2ver.h
  objects -DNGHTTP2_STATICLIB -Iincludes -- nghttp2_*.c
  "$target-ar" rcs libnghttp2.a ./*.o
}

# HTTP alone: the rest of what libcurl can do is nothing to us. By the
# environment, for curl's makefile adds to these.
build_libcurl() {
  source_of curl
  CPPFLAGS="-DHTTP_ONLY -DNGHTTP2_STATICLIB -I$sources/nghttp2/lib/includes" \
    CFLAGS="-O2 -w" LDFLAGS="-s -static-libgcc" \
    make -j"$(nproc)" -C lib -f Makefile.mk CROSSPREFIX="$target-" \
    CFG=-schannel-sspi-ipv6-nghttp2
  cp -R include/curl "$prefix/include"
  cp lib/libcurl.dll "$prefix/bin"
  cp lib/libcurl.dll.a "$prefix/lib"
}

build_cjson() {
  source_of lua-cjson
  # LuaJIT has what it makes up for in Lua 5.1.
  sed -i 's/LUA_VERSION_NUM < 502$/0/' lua_cjson.c
  for lua in lua5.4 luajit; do
    module $lua cjson -DLUA_COMPAT_5_3 lua_cjson.c strbuf.c fpconv.c
  done
}

build_luafilesystem() {
  source_of lua-filesystem
  for lua in lua5.4 luajit; do
    module $lua lfs src/lfs.c
  done
}

build_sqlite() {
  source_of sqlite3
  ./configure --disable-tcl --disable-readline
  make sqlite3.c
  objects -DSQLITE_THREADSAFE=1 -- sqlite3.c
}

build_luadbi() {
  source_of lua-dbi
  for lua in lua5.4 luajit; do
    module $lua dbd/sqlite3 -I. -I"$sources/sqlite3" dbd/common.c \
      dbd/sqlite3/*.c "$sources/sqlite3/sqlite3.o"
    cp DBI.lua "$prefix/modules/$lua"
  done
}

build_luv() {
  source_of libuv1
  objects -DWIN32_LEAN_AND_MEAN -D_WIN32_WINNT=0x0602 -Iinclude -Isrc -- \
    src/*.c src/win/*.c
  source_of lua-compat53
  source_of lua-luv
  for lua in lua5.4 luajit; do
    module $lua luv -D_WIN32_WINNT=0x0602 -I"$sources/libuv1/include" \
      -I"$sources/lua-compat53/c-api" src/luv.c "$sources"/libuv1/*.o \
      -lpsapi -luser32 -ladvapi32 -liphlpapi -luserenv -lws2_32 -ldbghelp \
      -lole32 -luuid
  done
}

# Of our own: what starts a Lua with Wine, and what specs need of Windows.
build_host() {
  mkdir -p "$root/bin"
  ln -sf /bin/sh "$root/bin/sh.exe"
  for lua in lua5.4 luajit; do
    ln -sf "$here/spec/windows/lua.sh" "$root/bin/$lua"
    module $lua host "$here/spec/windows/host.c" -lws2_32
  done
  WINEPREFIX="$root/wine" WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=" \
    wineboot -i </dev/null
}

[ "$here/spec/windows/host.c" -ot "$stamps/host" ] || rm -f "$stamps/host"
[ $# -gt 0 ] || set -- lua5_4 luajit nghttp2 libcurl cjson luafilesystem \
  sqlite luadbi luv host
for part; do
  [ ! -e "$stamps/$part" ] || continue
  echo "Building $part for Windows"
  # In a condition -e would count for nothing.
  set +e
  (set -e; "build_$part") >"$root/log/$part" 2>&1
  built=$?
  set -e
  [ $built -eq 0 ] || {
    tail -n 20 "$root/log/$part" >&2
    echo "$part was not built; build/windows/log/$part tells more" >&2
    exit $built
  }
  touch "$stamps/$part"
done
