/*
** Classes of userdata.
*/
#ifndef SV_BINDING_CLASS_H
#define SV_BINDING_CLASS_H

#include "binding/compat.h"

/* Makes the metatable of a class of userdata, which is its own index. */
void sv_make_class(lua_State *L, const char *name, const luaL_Reg *methods);

#endif
