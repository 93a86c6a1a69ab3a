/*
** Classes of userdata.
*/
#ifndef SV_BINDING_CLASS_H
#define SV_BINDING_CLASS_H

#include "binding/compat.h"

/* Makes the metatable of a class of userdata, which is its own index. Of a class
** that both modules have, the first to be loaded has made it: it is the last to
** be unloaded. */
void sv_make_class(lua_State *L, const char *name, const luaL_Reg *methods);

#endif
