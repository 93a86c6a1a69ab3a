/*
** The network for Lua, as a part of starvideos.curl.
*/
#ifndef SV_BINDING_NETWORK_H
#define SV_BINDING_NETWORK_H

#include "binding/compat.h"

void sv_make_network_classes(lua_State *L);

int sv_lua_network(lua_State *L); /* curl.network */

#endif
