# A command of a spec in the file $1: what it prints goes to $1.out, how it
# ended, once it has, to $1.end. Started by Wine: see init.lua.
unset LUA_INIT LUA_PATH LUA_CPATH
sh "$1" >"$1.out" </dev/null
echo $? >"$1.code"
mv "$1.code" "$1.end"
