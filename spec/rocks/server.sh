#!/bin/sh
# Makes build/rocks-server: what LuaRocks installs from, a folder with a manifest,
# of lua-cjson and argparse out of Debian's source packages, and of starvideos as
# `make dist` makes it. Exit code 3: the mirror hands out no sources.
#
#   spec/rocks/server.sh [FILES]
#
# With FILES the archive is of the tree's files as they are, committed or not.
set -eu

cd "$(dirname "$0")/../.."
here=$(pwd)
server=$here/build/rocks-server
work=$here/build/rocks-sources
. spec/debian_sources.sh
mkdir -p "$server" "$work"

# upstream PACKAGE: prints the archive of its authors, which is got once.
upstream() {
  ls "$work/$1"_*.orig.tar.* 2>/dev/null && return
  set -- "$1" "$(. /etc/os-release && echo "$VERSION_CODENAME")" stable testing sid
  package=$1
  shift
  [ -d "$work/lists" ] || debian_lists "$work" "$@"
  export APT_CONFIG="$work/apt.conf"
  apt_work=$work
  cd "$work"
  found=$(debian_archive "$package" "$@")
  cd "$here"
  [ -n "$found" ] || {
    echo "Debian's mirror hands out no source of $package" >&2
    return 3
  }
  echo "$work/${found% *}"
}

# rock NAME VERSION ARCHIVE: a rock with its source, of a rockspec on stdin that
# lacks its beginning.
rock() {
  folder=$work/$1
  rm -rf "$folder"
  mkdir -p "$folder/$1"
  tar -xf "$3" -C "$folder/$1" --strip-components=1
  tar -czf "$folder/$1.tar.gz" -C "$folder" "$1"
  {
    echo "package = '$1'; version = '$2-1'"
    echo "source = { url = 'file://$folder/$1.tar.gz', dir = '$1' }"
    cat
  } >"$folder/$1-$2-1.rockspec"
  (cd "$server" && luarocks pack "$folder/$1-$2-1.rockspec" >"$folder/log" 2>&1) || {
    cat "$folder/log" >&2
    return 1
  }
}

cjson=$(upstream lua-cjson)
argparse=$(upstream lua-argparse)
rm -f "$server"/*
rock lua-cjson 2.1.0 "$cjson" <<'END'
build = { type = "builtin", modules = { cjson = { sources = { "lua_cjson.c",
  "strbuf.c", "fpconv.c" }, defines = { "DISABLE_CJSON_GLOBAL" } } } }
END
rock argparse 0.7.1 "$argparse" <<'END'
build = { type = "builtin", modules = { argparse = "src/argparse.lua" } }
END

archive=$(make -s dist)
version=${archive##*-}
version=${version%.tar.gz}
mkdir -p "$work/dist"
cp "$archive" "$work/dist/"
if [ "${1-}" = FILES ]; then
  git ls-files -co --exclude-standard >"$work/files"
  tar -czf "$work/dist/${archive##*/}" --transform "s,^,starvideos-$version/," \
    -T "$work/files"
fi
spec=$work/dist/starvideos-$version-1.rockspec
lua5.4 rockspec/generate.lua "$version" "file://$work/dist" >"$spec"
(cd "$server" && luarocks pack "$spec" >"$work/log" 2>&1) || {
  cat "$work/log" >&2
  exit 1
}
luarocks-admin make_manifest "$server" >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  exit 1
}
