#!/bin/sh
# make demo: the real command line orders a video from a sandbox on this
# machine, waits for it and saves it as demo.mp4; ffprobe says what it is.
set -eu

video=demo.mp4
start_seconds=20
seconds=8

eval "$(MAKEFLAGS='' make -s --no-print-directory env LUA=lua5.4)"

exports=$(mktemp)
sandbox=
# As Ctrl-C does: the sandbox ends its nginx and removes its files.
finish() {
  if [ -n "$sandbox" ]; then
    kill -INT "$sandbox" 2>/dev/null || :
    wait "$sandbox" || :
  fi
  rm -f "$exports"
}
trap finish EXIT
trap 'exit 130' INT TERM

starvideos sandbox --seconds "$seconds" >"$exports" &
sandbox=$!
waited=0
until grep -q STARVIDEOS_API_KEY "$exports" &&
  grep -q STARVIDEOS_BASE_URL "$exports"; do
  if ! kill -0 "$sandbox" 2>/dev/null || [ "$waited" -ge "$start_seconds" ]
  then
    echo "The sandbox did not start." >&2
    exit 1
  fi
  sleep 1
  waited=$((waited + 1))
done
eval "$(grep '^export ' "$exports")"
echo "The sandbox listens at $STARVIDEOS_BASE_URL"

rm -f "$video"
prompt='A kitten in the grass, first light'
set -- --model videos --duration 5 --interval 1 -o "$video"
echo "\$ starvideos generate --prompt \"$prompt\" $*"
starvideos generate --prompt "$prompt" "$@"

echo "ffprobe says of $video:"
ffprobe -v error -select_streams v:0 -of default=noprint_wrappers=1 \
  -show_entries stream=codec_name,width,height,nb_frames:format=duration,size \
  "$video"
