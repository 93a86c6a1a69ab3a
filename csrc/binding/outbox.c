#include "binding/outbox.h"

#include <string.h>

#include "binding/compat.h"

#include "rules/visibility.h"

#define WAKEUP "starvideos.notifier"

/* --- values --------------------------------------------------------------- */

sv_wakeup *sv_read_wakeup(lua_State *L, int index) {
  if (lua_isnil(L, index)) {
    return NULL;
  }
  sv_wakeup **box = luaL_checkudata(L, index, WAKEUP);
  return *box;
}

static int wakeup_gc(lua_State *L) {
  sv_wakeup **box = luaL_checkudata(L, 1, WAKEUP);
  if (*box) {
    sv_wakeup_drop(*box);
    *box = NULL;
  }
  return 0;
}

void sv_make_wakeup_class(lua_State *L) {
  sv_make_class(L, WAKEUP, (luaL_Reg[]){{"__gc", wakeup_gc}, {NULL, NULL}});
}

/* --- methods of others ---------------------------------------------------- */

static sv_outbox *own(lua_State *L) {
  sv_outbox_of **of = lua_touserdata(L, lua_upvalueindex(1));
  return (*of)(L);
}

sv_wakeup *sv_check_wakeup(lua_State *L, sv_outbox *outbox) {
  sv_wakeup *wakeup = sv_outbox_wakeup(outbox);
  if (!wakeup) {
    luaL_error(L, "it is inline, and wakes nobody");
  }
  return wakeup;
}

static sv_wakeup *own_wakeup(lua_State *L) {
  return sv_check_wakeup(L, own(L));
}

static int own_ready(lua_State *L) {
  lua_pushboolean(L, sv_outbox_is_ready(own(L)));
  return 1;
}

static int own_take(lua_State *L) {
  long long number = sv_outbox_take(own(L));
  if (number == 0) {
    return 0;
  }
  sv_push_integer(L, number);
  return 1;
}

static int own_in_flight(lua_State *L) {
  lua_pushinteger(L, sv_outbox_in_flight(own(L)));
  return 1;
}

/* Asks for it last: before, Lua's collector may run finalizers, which could
** close the object. */
static int own_notifier(lua_State *L) {
  sv_wakeup **box = sv_new_object(L, WAKEUP, sizeof *box);
  *box = sv_wakeup_share(own_wakeup(L));
  return 1;
}

static int own_wake(lua_State *L) {
  sv_wakeup_notify(own_wakeup(L));
  return 0;
}

static int own_pollfd(lua_State *L) {
  lua_pushinteger(L, sv_wakeup_descriptor(own_wakeup(L)));
  return 1;
}

static int own_clear(lua_State *L) {
  sv_wakeup_clear(own_wakeup(L));
  return 0;
}

static int results(lua_State *L, int problem) {
  if (!problem) {
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, strerror(problem));
  return 2;
}

/* Holds a share meanwhile: Lua 5.1 runs finalizers before it copies a text,
** and one could close what has the wake-up, and the path. */
static int own_listen(lua_State *L) {
  const char *path;
  own_notifier(L);
  int problem = sv_wakeup_listen(sv_read_wakeup(L, -1), &path);
  lua_pushstring(L, path);
  return results(L, problem);
}

static int own_accept(lua_State *L) {
  int problem = sv_wakeup_accept(own_wakeup(L));
  lua_pushboolean(L, 1);
  return results(L, problem);
}

static const luaL_Reg own_methods[] = {
    {"ready", own_ready},         {"take", own_take},
    {"in_flight", own_in_flight}, {"notifier", own_notifier},
    {"wake", own_wake},           {"pollfd", own_pollfd},
    {"clear", own_clear},         {"listen", own_listen},
    {"accept", own_accept},       {NULL, NULL},
};

void sv_add_outbox_methods(lua_State *L, const char *name, sv_outbox_of *of) {
  luaL_getmetatable(L, name);
  for (const luaL_Reg *method = own_methods; method->name; method++) {
    sv_outbox_of **box = lua_newuserdata(L, sizeof *box);
    *box = of;
    lua_pushcclosure(L, method->func, 1);
    lua_setfield(L, -2, method->name);
  }
  lua_pop(L, 1);
}
