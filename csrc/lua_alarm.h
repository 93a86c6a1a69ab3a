/*
** Alarms as Lua values, by which one module's thread wakes who waits for
** another's: both are built from one alarm.h.
*/
#ifndef SV_LUA_ALARM_H
#define SV_LUA_ALARM_H

#include "alarm.h"
#include "compat.h"

void sv_make_alarm_class(lua_State *L);

/* Pushes a share of it. */
void sv_push_alarm(lua_State *L, sv_alarm *alarm);

/* The alarm at an index, or NULL for nil; raises for anything else. */
sv_alarm *sv_read_alarm(lua_State *L, int index);

#endif
