#include "binding/core.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "system/descriptor.h"
#include "system/network.h"
#include "system/sqlite_file.h"

#include "rules/visibility.h"

#define WATCH "starvideos.watch"
#define FINALIZER "starvideos.finalizer"
#define LOCKS "starvideos.sqlite_locks"
#define SQLITE_FILE "starvideos.sqlite_file"

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
  sv_sqlite_locks **noted = sv_new_object(L, LOCKS, sizeof *noted);
  *noted = sv_sqlite_locks_note(path);
  return 1;
}

static int end_locks(lua_State *L, void (*end)(sv_sqlite_locks *noted)) {
  sv_sqlite_locks **noted = luaL_checkudata(L, 1, LOCKS);
  if (*noted) {
    end(*noted);
    *noted = NULL;
  }
  return 0;
}

static int locks_drop(lua_State *L) {
  return end_locks(L, sv_sqlite_locks_drop);
}

/* locks:lose(): nobody drops them any more. */
static int locks_lose(lua_State *L) {
  return end_locks(L, sv_sqlite_locks_lose);
}

/* claim_sqlite_locks(path) -> true, or nil and why: see sqlite_file.h. */
static int locks_claim(lua_State *L) {
  int problem = sv_sqlite_locks_claim(luaL_checkstring(L, 1));
  if (!problem) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, problem == EBADF
                        ? "this program has closed descriptors that it had not"
                          " opened, and SQLite's among them, which cannot open"
                          " it here any more; make the client after that, or"
                          " close it before, and start this program again"
                    : problem == ENOENT
                        ? "the process that forked this one has closed it, and"
                          " SQLite cannot open it here any more; start this"
                          " program as a process of its own"
                        : strerror(problem));
  return 2;
}

static const luaL_Reg locks_methods[] = {
    {"drop", locks_drop},
    {"lose", locks_lose},
    {"__gc", locks_drop},
    {NULL, NULL},
};

/* --- the file of a ledger, see sqlite_file.h -------------------------------- */

static sv_sqlite_file *check_file(lua_State *L) {
  sv_sqlite_file **file = luaL_checkudata(L, 1, SQLITE_FILE);
  luaL_argcheck(L, *file != NULL, 1, "memory was short");
  return *file;
}

/* sqlite_file(path) -> a file that is not open yet. */
static int sqlite_file_new(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  sv_sqlite_file **file = sv_new_object(L, SQLITE_FILE, sizeof *file);
  *file = sv_sqlite_file_new(path);
  if (!*file) {
    return luaL_error(L, "not enough memory");
  }
  return 1;
}

/* file:open(): SQLite has opened it. */
static int file_open(lua_State *L) {
  sv_sqlite_file_open(check_file(L));
  return 0;
}

/* file:look() -> nil where its path still leads to what was opened, else what
** is wrong: a word. */
static int file_look(lua_State *L) {
  static const char *const words[] = {
      [SV_SQLITE_SAME] = NULL,
      [SV_SQLITE_MISSING] = "missing",
      [SV_SQLITE_REPLACED] = "replaced",
      [SV_SQLITE_LOG] = "log",
      [SV_SQLITE_LINKED] = "linked",
      [SV_SQLITE_MOUNTED] = "mounted",
  };
  lua_pushstring(L, words[sv_sqlite_file_look(check_file(L))]);
  return 1;
}

/* file:close(): SQLite is about to close it. */
static int file_close(lua_State *L) {
  sv_sqlite_file_close(check_file(L));
  return 0;
}

/* Made after its connection, it is collected before that. */
static int file_collect(lua_State *L) {
  sv_sqlite_file **file = luaL_checkudata(L, 1, SQLITE_FILE);
  if (*file) {
    sv_sqlite_file_free(*file);
    *file = NULL;
  }
  return 0;
}

static const luaL_Reg file_methods[] = {
    {"open", file_open},   {"look", file_look}, {"close", file_close},
    {"__gc", file_collect}, {NULL, NULL},
};

/* make_private(path) -> nil where others had no right to it, else whether they
** lost it; see sqlite_file.h. */
static int sqlite_make_private(lua_State *L) {
  sv_sqlite_rights rights =
      sv_sqlite_file_make_private(luaL_checkstring(L, 1));
  if (rights != SV_SQLITE_PRIVATE) {
    lua_pushboolean(L, rights == SV_SQLITE_MADE_PRIVATE);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"watch", watch_new},
    {"finalizer", finalizer_new},
    {"abandon", abandon},
    {"note_sqlite_locks", locks_new},
    {"claim_sqlite_locks", locks_claim},
    {"make_private", sqlite_make_private},
    {"sqlite_file", sqlite_file_new},
    {NULL, NULL},
};

void sv_add_watch(lua_State *L) {
  sv_make_class(L, WATCH, (luaL_Reg[]){{"holds", watch_holds}, {NULL, NULL}});
  sv_make_class(L, FINALIZER, (luaL_Reg[]){{"__gc", finalizer_gc}, {NULL, NULL}});
  sv_make_class(L, LOCKS, locks_methods);
  sv_make_class(L, SQLITE_FILE, file_methods);
  luaL_setfuncs(L, functions, 0);
}
