/*
** A actor who runs Lua: starvideos.core.actor. His Lua state is touched by his
** thread alone.
*/
#ifndef SV_LUA_ACTOR_H
#define SV_LUA_ACTOR_H

#include "lua/compat.h"

/* actor{ source =, setup =, fork_seconds =, notifier = } -> actor. The source is
** run on his thread with the setup, and returns four functions: one that
** answers messages, one that undoes the last answer, one that rests and one that
** leaves. */
int sv_lua_actor(lua_State *L);

/* beat([seconds]), mark(): see actor.h. */
int sv_lua_beat(lua_State *L);
int sv_lua_mark(lua_State *L);

void sv_make_actor_classes(lua_State *L);

/* The module that the actor's state finds as starvideos.core. */
LUALIB_API int luaopen_starvideos_core(lua_State *L);

#endif
