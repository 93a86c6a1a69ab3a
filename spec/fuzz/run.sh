#!/bin/sh
# Runs fuzz targets side by side, each for some seconds.
#
#   spec/fuzz/run.sh SECONDS target ...
#
# Each starts from the lines of its .seeds and from what $BUILD/corpus
# (build/fuzz/corpus) holds of earlier runs; found/ gets what made it crash.
# JOBS says how many run at a time (one for each core). The last line is
# "N passed, N failed".
set -eu

seconds=$1
shift
jobs=${JOBS:-$(nproc)}
build=${BUILD:-build/fuzz}
failed=0

sow() {
  count=0
  while IFS= read -r line; do
    count=$((count + 1))
    printf '%b' "$line" > "$build/seeds/$1/$count"
  done < "spec/fuzz/$1.seeds"
}

# A server may keep a connection open for ever, but an input that is slow for
# ten seconds has found something.
fuzz() {
  mkdir -p "$build/seeds/$1" "$build/corpus/$1" "$build/found"
  sow "$1"
  "$build/target/$1" -max_total_time="$seconds" -dict="spec/fuzz/$1.dict" \
    -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$build/found/$1-" \
    "$build/corpus/$1" "$build/seeds/$1" > "$build/$1.log" 2>&1
}

# The last line on coverage, and how many inputs were tried.
figures() {
  awk '/ cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1) }
    /^stat::number_of_executed_units/ { runs = $2 }
    END { printf "%d inputs, %d edges", runs, cov }' "$build/$1.log"
}

report() {
  if [ "$2" -eq 0 ]; then
    echo "$1: $(figures "$1")"
    return
  fi
  failed=$((failed + 1))
  tail -n 60 "$build/$1.log"
  input=$(sed -n 's/.*Test unit written to //p' "$build/$1.log" | tail -n 1)
  echo "$1: failed; repeat with $build/target/$1 ${input:-"(no input left)"}"
}

# As many at a time as there are cores; the first to be started is the first
# to be waited for, and all take the same time.
total=$#
while [ $# -gt 0 ]; do
  started=
  while [ $# -gt 0 ] && [ "$(echo $started | wc -w)" -lt "$jobs" ]; do
    fuzz "$1" &
    started="$started $1:$!"
    shift
  done
  for one in $started; do
    status=0
    wait "${one#*:}" || status=$?
    report "${one%%:*}" "$status"
  done
done

echo "$((total - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
