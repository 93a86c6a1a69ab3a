/*
** An actor that runs Lua: starvideos.core.actor. Its Lua state is touched by
** its thread alone.
*/
#ifndef SV_BINDING_ACTOR_H
#define SV_BINDING_ACTOR_H

#include "binding/compat.h"

/* actor{ source =, setup =, fork_seconds =, notifier = } -> actor. The source
** is run on its thread with the setup, and returns four functions: one that
** answers messages, one that undoes the last answer, one that is called when
** there are no messages and gives the seconds until it is to be called again,
** or nil; and one that is called at the end. */
int sv_lua_actor(lua_State *L);

/* heartbeat([seconds]), socket_mark() -> number: see thread/service.h and thread/actor.h. */
int sv_lua_heartbeat(lua_State *L);
int sv_lua_socket_mark(lua_State *L);

void sv_make_actor_classes(lua_State *L);

/* The module that the actor's state finds as starvideos.core. */
LUALIB_API int luaopen_starvideos_core(lua_State *L);

#endif
