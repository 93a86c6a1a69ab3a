/*
** Alarms as Lua values, by which one module's thread wakes who waits for
** another's: both are built from one notifier.h.
*/
#ifndef SV_LUA_NOTIFIER_H
#define SV_LUA_NOTIFIER_H

#include "platform/notifier.h"
#include "lua/compat.h"

void sv_make_notifier_class(lua_State *L);

/* Pushes a share of it. */
void sv_push_alarm(lua_State *L, sv_notifier *notifier);

/* The notifier at an index, or NULL for nil; raises for anything else. */
sv_notifier *sv_read_alarm(lua_State *L, int index);

#endif
