/*
** The driver for Lua, as a part of starvideos.curl.
*/
#ifndef SV_LUA_DRIVER_H
#define SV_LUA_DRIVER_H

#include "lua/compat.h"

void sv_make_driver_classes(lua_State *L);

int sv_lua_driver(lua_State *L); /* curl.driver */

#endif
