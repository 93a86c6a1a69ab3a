#!/bin/sh
# How the modules are hardened, what systemd says of the unit that is printed, and
# what two analyzers find in the C: nothing.
set -eu

# Tenths: how far a service is exposed, by `systemd-analyze security`.
EXPOSURE=20
# No shared object is a program; the other needs the same of the system's libraries.
NOT_OURS="--nopie --nocfprotection"

status=0
fail() {
  echo "check-security: $*" >&2
  status=1
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for module in build/*/starvideos/*.so; do
  # shellcheck disable=SC2086
  hardening-check --quiet $NOT_OURS "$module" || fail "$module is not hardened"
done

starvideos gateway --print-config "$folder/config" >"$folder/printed" 2>&1 ||
  { cat "$folder/printed"; fail "no unit was printed"; }
for unit in "$folder"/config/*.service; do
  systemd-analyze security --offline=true --threshold=$EXPOSURE --no-pager \
    "$unit" >"$folder/exposure" 2>&1 ||
    { grep '^✗' "$folder/exposure"; fail "the unit is exposed"; }
  tail -n 1 "$folder/exposure"
done

# What a list or a caller holds it takes for lost: leaks are the sanitizer's, in
# `make check-memory` and where each allocation fails (spec/allocation).
find csrc -name '*.c' ! -path '*/windows/*' -print0 | xargs -0 -n 8 -P 2 sh -c '
  for file; do
    ${CC:-gcc} -std=gnu11 -Icsrc -D_FILE_OFFSET_BITS=64 -fPIC -O2 -fanalyzer -Werror \
      -Wno-analyzer-malloc-leak $(pkg-config --cflags lua5.4 libcurl) \
      -c "$file" -o /dev/null || exit 255
  done' sh || fail "gcc -fanalyzer found something"

# SV_MODEL is no switch: who includes products.inc has defined it, or it is empty.
cppcheck --quiet -j 2 --std=c11 --enable=warning,performance,portability \
  --inline-suppr --error-exitcode=1 -USV_MODEL -Icsrc csrc || fail "cppcheck found something"

[ $status -ne 0 ] || echo "check-security: nothing found"
exit $status
