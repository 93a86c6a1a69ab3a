#!/bin/sh
# Runs the specs with every access to memory watched: compiled for
# AddressSanitizer and UBSan, then those of the modules in C under valgrind.
# An interpreter that stands first in PATH does the watching, so that the
# command line, which specs start as a process, is watched too, and nginx,
# ffmpeg and the shell are not.
set -eu

lua=$(command -v lua5.4)
here=$(pwd)
logs=$here/build/log/memory

# Modules stay mapped to the end (nodelete): reports need their names.
build() {
  MAKEFLAGS='' make -s build LUA=lua5.4 BUILD="$1" LDFLAGS=-Wl,-z,nodelete \
    CFLAGS="-O1 -g -fno-omit-frame-pointer ${2-}"
}

interpreter() {
  printf '#!/bin/sh\nexec %s "$@"\n' "$2" > "$1/bin/lua5.4"
  chmod 755 "$1/bin/lua5.4"
}

specs() {
  build=$1
  shift
  echo "==== $build"
  BUILD=$build lua5.4 spec/run.lua "$@" || failed="$failed $build"
}

runtime() {
  ${CC:-cc} -print-file-name="$1"
}

rm -rf "$logs"
mkdir -p "$logs"
chmod 1777 "$logs" # specs start processes of another user's
failed=

# Handed to the dynamic linker: as LD_PRELOAD, children would inherit it.
# SQLite is among it so that it stays mapped: suppressions go by name.
linker=$(ldd "$lua" | awk '/ld-linux|ld64/ { print $1 }')
asan=build/asan/lua5.4
build "$asan" '-fsanitize=address,undefined -fno-sanitize-recover=undefined'
interpreter "$asan" "$linker --argv0 \"\$0\" \
--preload '$(runtime libasan.so) $(runtime libubsan.so) \
$(runtime libsqlite3.so.0)' $lua"
export ASAN_OPTIONS="exitcode=99:log_path=$logs/asan"
export UBSAN_OPTIONS="print_stacktrace=1:log_path=$logs/ubsan"
export LSAN_OPTIONS="suppressions=$here/spec/memory/lsan.supp:\
print_suppressions=0"
specs "$asan" unit:lua5.4 engine:lua5.4 operations:lua5.4 \
  faults:lua5.4 secrets:lua5.4

valgrind=build/valgrind/lua5.4
build "$valgrind"
interpreter "$valgrind" "valgrind --quiet --vgdb=no --error-exitcode=99 \
--leak-check=full --errors-for-leak-kinds=definite,possible \
--keep-debuginfo=yes --suppressions='$here/spec/memory/valgrind.supp' \
--log-file='$logs/valgrind.%p' $lua"
specs "$valgrind" unit:lua5.4 engine:lua5.4

# Processes that a spec started and did not ask about have left a log.
find "$logs" -type f -empty -delete
find "$logs" -type f -exec cat {} +
reports=$(find "$logs" -type f | wc -l)
if [ -n "$failed" ] || [ "$reports" -gt 0 ]; then
  echo "check-memory: $reports reports;${failed:+ specs failed in}$failed"
  exit 1
fi
echo "check-memory: nothing found"
