#include "lua_alarm.h"

#include <stddef.h>

#include "class.h"

#define ALARM "starvideos.alarm"

void sv_push_alarm(lua_State *L, sv_alarm *alarm) {
  sv_alarm **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, ALARM);
  *box = sv_alarm_share(alarm);
}

sv_alarm *sv_read_alarm(lua_State *L, int index) {
  if (lua_isnil(L, index)) {
    return NULL;
  }
  sv_alarm **box = luaL_checkudata(L, index, ALARM);
  return *box;
}

static int alarm_gc(lua_State *L) {
  sv_alarm **box = luaL_checkudata(L, 1, ALARM);
  if (*box) {
    sv_alarm_drop(*box);
    *box = NULL;
  }
  return 0;
}

static const luaL_Reg alarm_methods[] = {
    {"__gc", alarm_gc},
    {NULL, NULL},
};

void sv_make_alarm_class(lua_State *L) {
  sv_make_class(L, ALARM, alarm_methods);
}
