#include "lua/notifier.h"

#include <string.h>

#include "lua/class.h"

#include "core/hidden.h"

#define NOTIFIER "starvideos.notifier"

/* --- values --------------------------------------------------------------- */

void sv_push_notifier(lua_State *L, sv_notifier_of *of) {
  sv_notifier **box = lua_newuserdata(L, sizeof *box);
  *box = NULL;
  luaL_setmetatable(L, NOTIFIER);
  *box = sv_notifier_share(of(L));
}

sv_notifier *sv_read_notifier(lua_State *L, int index) {
  if (lua_isnil(L, index)) {
    return NULL;
  }
  sv_notifier **box = luaL_checkudata(L, index, NOTIFIER);
  return *box;
}

static int notifier_gc(lua_State *L) {
  sv_notifier **box = luaL_checkudata(L, 1, NOTIFIER);
  if (*box) {
    sv_notifier_drop(*box);
    *box = NULL;
  }
  return 0;
}

static const luaL_Reg value_methods[] = {
    {"__gc", notifier_gc},
    {NULL, NULL},
};

void sv_make_notifier_class(lua_State *L) {
  sv_make_class(L, NOTIFIER, value_methods);
}

/* --- methods of others ---------------------------------------------------- */

static sv_notifier *own_notifier(lua_State *L) {
  sv_notifier_of **of = lua_touserdata(L, lua_upvalueindex(1));
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
  lua_pushinteger(L, sv_notifier_descriptor(own_notifier(L)));
  return 1;
}

static int own_clear(lua_State *L) {
  sv_notifier_clear(own_notifier(L));
  return 0;
}

/* Holds a share meanwhile: Lua 5.1 runs finalizers before it copies a text,
** and one could close what has the notifier, and the path. */
static int own_listen(lua_State *L) {
  const char *path;
  sv_push_notifier(L, own_notifier);
  int problem = sv_notifier_listen(sv_read_notifier(L, -1), &path);
  lua_pushstring(L, path);
  return results(L, problem);
}

static int own_accept(lua_State *L) {
  int problem = sv_notifier_accept(own_notifier(L));
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

void sv_add_notifier_methods(lua_State *L, const char *name,
                             sv_notifier_of *of) {
  luaL_getmetatable(L, name);
  for (const luaL_Reg *method = own_methods; method->name; method++) {
    sv_notifier_of **box = lua_newuserdata(L, sizeof *box);
    *box = of;
    lua_pushcclosure(L, method->func, 1);
    lua_setfield(L, -2, method->name);
  }
  lua_pop(L, 1);
}
