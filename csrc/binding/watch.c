#include "binding/watch.h"

#include <stdbool.h>

#include "binding/compat.h"
#include "system/descriptor.h"
#include "system/network.h"
#include "system/sqlite_locks.h"

#include "rules/visibility.h"

#define WATCH "starvideos.watch"
#define FINALIZER "starvideos.finalizer"
#define LOCKS "starvideos.sqlite_locks"

enum { MOST = 3 };

/* --- descriptors of other libraries ---------------------------------------- */

typedef struct watch {
  int count;
  sv_descriptor descriptors[MOST];
} watch;

/* watch(...) -> what is open now in this process: each is the path of a file, or
** the mark of a connection (socket_mark.h). What is not found is not watched. */
static int watch_new(lua_State *L) {
  int last = lua_gettop(L);
  luaL_argcheck(L, last <= MOST, MOST, "too many");
  watch *w = lua_newuserdata(L, sizeof *w);
  w->count = 0;
  for (int i = 1; i <= last; i++) {
    sv_descriptor found =
        lua_type(L, i) == LUA_TNUMBER
            ? sv_socket_mark_find((int)lua_tonumber(L, i))
            : sv_descriptor_find(luaL_checkstring(L, i));
    if (found.number >= 0) {
      w->descriptors[w->count++] = found;
    }
  }
  luaL_setmetatable(L, WATCH);
  return 1;
}

/* watch:holds() -> whether all are open still, if by other numbers: of two
** connections to one file SQLite may have closed the one that was found. */
static int watch_holds(lua_State *L) {
  watch *w = luaL_checkudata(L, 1, WATCH);
  bool holds = true;
  for (int i = 0; i < w->count && holds; i++) {
    holds = sv_descriptor_holds(&w->descriptors[i]) ||
            sv_descriptor_find_again(&w->descriptors[i]);
  }
  lua_pushboolean(L, holds);
  return 1;
}

/* --- finalizers ------------------------------------------------------------ */

/* finalizer(function) -> a value with which the function is called when the
** collector finds it, before those that were made earlier. */
static int finalizer_new(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_newuserdata(L, 1);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  sv_set_user_table(L, 2);
  luaL_setmetatable(L, FINALIZER);
  return 1;
}

static int finalizer_gc(lua_State *L) {
  luaL_checkudata(L, 1, FINALIZER);
  sv_get_user_table(L, 1);
  lua_rawgeti(L, -1, 1);
  lua_pcall(L, 0, 0, 0);
  return 0;
}

/* abandon(userdata): nothing is done any more when the collector finds it. */
static int abandon(lua_State *L) {
  luaL_checktype(L, 1, LUA_TUSERDATA);
  lua_settop(L, 1);
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  return 0;
}

/* --- open databases -------------------------------------------------------- */

/* note_sqlite_locks(path) -> what is to be dropped when SQLite closes it. */
static int locks_new(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  sv_sqlite_locks **noted = lua_newuserdata(L, sizeof *noted);
  *noted = NULL;
  luaL_setmetatable(L, LOCKS);
  *noted = sv_sqlite_locks_note(path);
  return 1;
}

static int locks_drop(lua_State *L) {
  sv_sqlite_locks **noted = luaL_checkudata(L, 1, LOCKS);
  if (*noted) {
    sv_sqlite_locks_drop(*noted);
    *noted = NULL;
  }
  return 0;
}

/* locks:lose(): nobody drops them any more. */
static int locks_lose(lua_State *L) {
  sv_sqlite_locks **noted = luaL_checkudata(L, 1, LOCKS);
  if (*noted) {
    sv_sqlite_locks_lose(*noted);
    *noted = NULL;
  }
  return 0;
}

static const luaL_Reg locks_methods[] = {
    {"drop", locks_drop},
    {"lose", locks_lose},
    {"__gc", locks_drop},
    {NULL, NULL},
};

static const luaL_Reg watch_methods[] = {
    {"holds", watch_holds},
    {NULL, NULL},
};

static const luaL_Reg finalizer_methods[] = {
    {"__gc", finalizer_gc},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"watch", watch_new},
    {"finalizer", finalizer_new},
    {"abandon", abandon},
    {"note_sqlite_locks", locks_new},
    {NULL, NULL},
};

void sv_add_watch(lua_State *L) {
  sv_make_class(L, WATCH, watch_methods);
  sv_make_class(L, FINALIZER, finalizer_methods);
  sv_make_class(L, LOCKS, locks_methods);
  luaL_setfuncs(L, functions, 0);
}
