#include "binding/outbox.h"

#include <string.h>

#include "binding/class.h"

#include "rules/visibility.h"

#define WAKEUP "starvideos.notifier"

/* --- values --------------------------------------------------------------- */

void sv_push_wakeup(lua_State *L, sv_wakeup_of *of) {
  sv_wakeup **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, WAKEUP);
  *box = sv_wakeup_share(of(L));
}

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

static const luaL_Reg value_methods[] = {
    {"__gc", wakeup_gc},
    {NULL, NULL},
};

void sv_make_wakeup_class(lua_State *L) {
  sv_make_class(L, WAKEUP, value_methods);
}

/* --- methods of others ---------------------------------------------------- */

static sv_wakeup *own_wakeup(lua_State *L) {
  sv_wakeup_of **of = lua_touserdata(L, lua_upvalueindex(1));
  return (*of)(L);
}

static int results(lua_State *L, int problem) {
  if (!problem) {
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, strerror(problem));
  return 2;
}

static int own_pollfd(lua_State *L) {
  lua_pushinteger(L, sv_wakeup_descriptor(own_wakeup(L)));
  return 1;
}

static int own_clear(lua_State *L) {
  sv_wakeup_clear(own_wakeup(L));
  return 0;
}

/* Holds a share meanwhile: Lua 5.1 runs finalizers before it copies a text,
** and one could close what has the wakeup, and the path. */
static int own_listen(lua_State *L) {
  const char *path;
  sv_push_wakeup(L, own_wakeup);
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
    {"pollfd", own_pollfd},
    {"clear", own_clear},
    {"listen", own_listen},
    {"accept", own_accept},
    {NULL, NULL},
};

void sv_add_wakeup_methods(lua_State *L, const char *name,
                             sv_wakeup_of *of) {
  luaL_getmetatable(L, name);
  for (const luaL_Reg *method = own_methods; method->name; method++) {
    sv_wakeup_of **box = lua_newuserdata(L, sizeof *box);
    *box = of;
    lua_pushcclosure(L, method->func, 1);
    lua_setfield(L, -2, method->name);
  }
  lua_pop(L, 1);
}
