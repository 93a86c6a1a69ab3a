#include "lua/notifier.h"

#include <stddef.h>

#include "lua/class.h"

#define ALARM "starvideos.notifier"

void sv_push_alarm(lua_State *L, sv_notifier *notifier) {
  sv_notifier **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, ALARM);
  *box = sv_notifier_share(notifier);
}

sv_notifier *sv_read_alarm(lua_State *L, int index) {
  if (lua_isnil(L, index)) {
    return NULL;
  }
  sv_notifier **box = luaL_checkudata(L, index, ALARM);
  return *box;
}

static int alarm_gc(lua_State *L) {
  sv_notifier **box = luaL_checkudata(L, 1, ALARM);
  if (*box) {
    sv_notifier_drop(*box);
    *box = NULL;
  }
  return 0;
}

static const luaL_Reg alarm_methods[] = {
    {"__gc", alarm_gc},
    {NULL, NULL},
};

void sv_make_notifier_class(lua_State *L) {
  sv_make_class(L, ALARM, alarm_methods);
}
