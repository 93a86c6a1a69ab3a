/*
** Module starvideos.core, and its parts: each adds its functions to the table on
** top.
*/
#ifndef SV_BINDING_CORE_H
#define SV_BINDING_CORE_H

#include "binding/compat.h"

void sv_add_actor(lua_State *L);   /* an actor whose handler is Lua code */
void sv_add_catalog(lua_State *L); /* the catalog and the validator */
void sv_add_system(lua_State *L);  /* what csrc/system tells of the system */
void sv_add_watch(lua_State *L);   /* what SQLite and libpq have open here: whether
                                      it is still theirs, and what keeps them
                                      from using it where it is not */

/* As an actor's state finds it. */
LUALIB_API int luaopen_starvideos_core(lua_State *L);

#endif
