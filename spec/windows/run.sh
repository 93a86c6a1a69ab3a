#!/bin/sh
# Runs suites with Wine: spec/windows/run.sh windows:lua5.4 ... Wine's server is
# started once and ended with them; nothing of ours that it runs is left.
set -eu

cd "$(dirname "$0")/../.."
export WINEPREFIX="$(pwd)/build/windows/wine"
# Where the folders of the specs lie, under a short name, for some look at the
# width of lines; nginx's account may pass. What Wine was told to
# end, or could not run, may leave a server there.
TMPDIR=$(mktemp -d /tmp/sv.XXXXXX)
export TMPDIR
chmod 711 "$TMPDIR"
clean_up() {
  wineserver -k || :
  wineserver -w
  for file in "$TMPDIR"/*/nginx.pid; do
    [ ! -s "$file" ] || kill "$(cat "$file")" || :
  done
  # A server that an assertion of its own has ended leaves its drivers behind.
  for process in /proc/[0-9]*; do
    ! grep -qszxF "TMPDIR=$TMPDIR" "$process/environ" || \
      kill -KILL "${process#/proc/}" || :
  done
  rm -rf "$TMPDIR"
}
wineserver -p
trap clean_up EXIT
trap 'exit 130' INT TERM
lua5.4 spec/run.lua "$@"
