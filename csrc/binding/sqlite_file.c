#include "binding/sqlite_file.h"

#include "binding/compat.h"
#include "system/sqlite_file.h"

#include "rules/visibility.h"

#define SQLITE_FILE "starvideos.sqlite_file"

static sv_sqlite_file *check_file(lua_State *L) {
  sv_sqlite_file **file = luaL_checkudata(L, 1, SQLITE_FILE);
  luaL_argcheck(L, *file != NULL, 1, "memory was short");
  return *file;
}

/* sqlite_file(path) -> a file that is not open yet. */
static int sqlite_file_new(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  sv_sqlite_file **file = lua_newuserdata(L, sizeof *file);
  *file = NULL;
  luaL_setmetatable(L, SQLITE_FILE);
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

static const luaL_Reg methods[] = {
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
    {"make_private", sqlite_make_private},
    {"sqlite_file", sqlite_file_new},
    {NULL, NULL},
};

void sv_add_sqlite_file(lua_State *L) {
  sv_make_class(L, SQLITE_FILE, methods);
  luaL_setfuncs(L, functions, 0);
}
