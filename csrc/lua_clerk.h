/*
** A clerk who runs Lua: starvideos.core.clerk. His Lua state is touched by his
** thread alone.
*/
#ifndef SV_LUA_CLERK_H
#define SV_LUA_CLERK_H

#include "compat.h"

/* clerk{ source =, setup =, fork_seconds =, alarm = } -> clerk. The source is
** run on his thread with the setup, and returns four functions: one that
** answers letters, one that undoes the last answer, one that rests and one that
** leaves. */
int sv_lua_clerk(lua_State *L);

/* beat([seconds]), mark(): see clerk.h. */
int sv_lua_beat(lua_State *L);
int sv_lua_mark(lua_State *L);

void sv_make_clerk_classes(lua_State *L);

/* The module that the clerk's state finds as starvideos.core. */
LUALIB_API int luaopen_starvideos_core(lua_State *L);

#endif
