# Runs nginx in FOLDER, for starvideos.nginx.launcher: sh -c TEXT sh FOLDER [STATE].
# All processes of it, and the programs that they start, hold the lock on FOLDER/alive as
# descriptor 9: the system releases it when the last of them ends, even where ended
# processes stay zombies.
#
# Without STATE nginx goes to the background once it listens. With it nginx is attached,
# in a session of its own, so that no signal of the terminal comes to it: standard input
# has the key, and then names of signals. Its end is the end of the process that reads the
# file STATE: as Ctrl-C, or where that came before as a second one.
folder=$1 state=$2
[ -z "$state" ] || { trap '' INT QUIT TERM HUP; umask 027; }
tell() { [ -z "$state" ] || echo "$1" >"$state"; }

cd "$folder" && exec 3<&0 </dev/null >logs/start.log 2>&1 9>alive || exit
flock -n 9 || {
  echo "another gateway runs in the folder $folder, or a sandbox: stop it, or choose" \
    "another with --folder"
  tell taken
  exit 1
}
rm -f run-* nginx.pid && tell ready || exit
cd /
# Another Lua's search paths would send nginx's Lua to the wrong modules.
unset LUA_PATH LUA_CPATH LUA_INIT
set -- nginx -p "$folder/" -c "$folder/nginx.conf" -e "$folder/logs/error.log"
[ "$state" ] || exec "$@" 3<&-

IFS= read -r STARVIDEOS_API_KEY <&3 || exit
export STARVIDEOS_API_KEY
setsid "$@" -g 'daemon off;' 3<&- &
nginx=$!
{ last=
  while read -r signal; do
    last=$signal
    case $signal in
      KILL) kill -KILL "-$nginx" ;;
      *) kill "-$signal" "$nginx" ;;
    esac
  done
  case $last in
    QUIT|TERM) last=TERM ;;
    *) last=QUIT ;;
  esac
  # An nginx that has just begun does not hear it yet.
  while kill "-$last" "$nginx"; do sleep 1 9>&-; done
} <&3 &
listener=$!
wait "$nginx"
code=$?
kill -KILL "$listener"
[ "$code" -lt 128 ] || kill -TERM "-$nginx" # its workers would go on
tell "ended $code"
