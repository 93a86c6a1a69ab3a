/*
** Whether the descriptors that other libraries have open are still theirs, and
** what keeps those libraries from using them where they are not.
*/
#ifndef SV_BINDING_WATCH_H
#define SV_BINDING_WATCH_H

#include "binding/compat.h"

/* Adds watch, finalizer and abandon to the table on top. */
void sv_add_watch(lua_State *L);

#endif
