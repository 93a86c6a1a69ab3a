/*
** The network for Lua.
*/
#ifndef SV_BINDING_NETWORK_H
#define SV_BINDING_NETWORK_H

#include "binding/compat.h"

/* Adds network(options) to the table on top. */
void sv_add_network(lua_State *L);

#endif
