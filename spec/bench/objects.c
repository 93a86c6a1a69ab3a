/*
** A Lua that counts the objects it makes.
**
**   objects SCRIPT ARGUMENTS...
**
** runs the script, whose `objects()` gives how many there have been of each
** kind: "table", "string", "function", "userdata" and "thread".
*/
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static const struct {
  size_t type;
  const char *name;
} kinds[] = {
    {LUA_TSTRING, "string"},     {LUA_TTABLE, "table"},
    {LUA_TFUNCTION, "function"}, {LUA_TUSERDATA, "userdata"},
    {LUA_TTHREAD, "thread"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static long counts[KINDS];

/* Of what is new the old size is the kind, or 0 where it is no object. */
static void *allocate(void *self, void *pointer, size_t old_size,
                      size_t size) {
  (void)self;
  if (size == 0) {
    free(pointer);
    return NULL;
  }
  for (int i = 0; !pointer && i < KINDS; i++) {
    counts[i] += kinds[i].type == old_size;
  }
  return realloc(pointer, size);
}

static int objects(lua_State *L) {
  lua_createtable(L, 0, KINDS);
  for (int i = 0; i < KINDS; i++) {
    lua_pushinteger(L, counts[i]);
    lua_setfield(L, -2, kinds[i].name);
  }
  return 1;
}

int main(int argc, char **argv) {
  lua_State *L = lua_newstate(allocate, NULL);
  if (!L || argc < 2) {
    fprintf(stderr, "usage: %s SCRIPT ARGUMENTS...\n", argv[0]);
    return 2;
  }
  luaL_openlibs(L);
  lua_register(L, "objects", objects);
  lua_createtable(L, argc, 0);
  for (int i = 1; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
  if (luaL_dofile(L, argv[1])) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    return 1;
  }
  lua_close(L);
  return 0;
}
