#!/bin/sh
# A Lua for Windows, run by Wine. The name it is called by says which:
# spec/windows/build.sh links lua5.4 and luajit of build/windows/bin to it.
set -eu

name=$(basename "$0")
here=$(cd "$(dirname "$0")/../../.." && pwd)
root=$here/build/windows
modules=Z:$root/prefix/modules/$name

export WINEPREFIX="$root/wine" WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml="
export STARVIDEOS_SH="Z:$root/bin/sh.exe" STARVIDEOS_PID=$$
export STARVIDEOS_TMP="${TMPDIR:-/tmp}"
export LUA_INIT="@Z:$here/spec/windows/init.lua"
# Debian's share has what is pure Lua, for LuaJIT as for Lua 5.1.
shared=Z:/usr/share/lua/$(echo "$name" | sed 's/^luajit$/5.1/; s/^lua//')
export LUA_PATH="Z:$here/lua/?.lua;Z:$here/lua/?/init.lua;$modules/?.lua"
LUA_PATH="$LUA_PATH;$shared/?.lua;$shared/?/init.lua;./?.lua"
export LUA_CPATH="Z:$root/$name/?.dll;$modules/?.dll"

# A shell's jobs in the background ignore Ctrl-C; what Wine starts is not to.
exec env --default-signal=INT,QUIT wine "$root/prefix/bin/$name.exe" "$@"
