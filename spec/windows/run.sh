#!/bin/sh
# Runs suites with Wine: spec/windows/run.sh windows:lua5.4 ... Wine's server is
# started once and ended with them; nothing of ours that it runs is left.
set -eu

cd "$(dirname "$0")/../.."
export WINEPREFIX="$(pwd)/build/windows/wine"
export FILE_SECONDS="${FILE_SECONDS:-400}"
wineserver -p
trap 'wineserver -k || :; wineserver -w' EXIT
trap 'exit 130' INT TERM
lua5.4 spec/run.lua "$@"
