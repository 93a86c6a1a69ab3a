#!/bin/sh
# Installs below build/peers the peers that Debian does not package. One that is
# not to be had is left out of the table.

mkdir -p build/peers
[ -e build/peers/share/lua/5.4/cURL.lua ] ||
  luarocks --lua-version 5.4 --tree build/peers install Lua-cURL \
    "CURL_INCDIR=$(pkg-config --variable=includedir libcurl)" >&2 ||
  echo "$0: no Lua-cURL 3 without LuaRocks' server" >&2
[ -d build/peers/node_modules/openai ] ||
  npm install --prefix build/peers --ignore-scripts --no-audit --no-fund \
    --loglevel=error openai@7.57.0 >&2 ||
  echo "$0: no client of OpenAI's without npm's registry" >&2
