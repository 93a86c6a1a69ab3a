/*
** Module starvideos.core in a Lua of its own, called with tables of any shape:
** rows of a catalog, and requests against it.
*/
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "bytes.h"
#include "rules/field.h"

LUALIB_API int luaopen_starvideos_core(lua_State *L);

enum { DEPTH = 4 };

static const char *const words[] = {
#define SV_FIELD(id, name, ...) name,
#include "rules/products.inc"
    "url", "bytes", "width", "height", "name", "endpoint", "editions",
    "required", "min", "max", "default", "advised", "values", "frames",
    "legacy_aliases", "max_with_video", "max_bytes", "below", "total_bytes",
    "total_duration", "min_duration", "max_duration", "min_pixels",
    "max_pixels", "sets_output", "videos", "starvideos_o3",
    "videos_stable_fast", "mingyan", "xingchao", "/v1/x", "16:9", "720p",
    "https://h/a.png", "x"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void push_text(lua_State *L, bytes *b) {
  unsigned which = choose(b, COUNT(words) + 2);
  size_t size;
  if (which < COUNT(words)) {
    lua_pushstring(L, words[which]);
  } else {
    const char *line = take_line(b, &size);
    lua_pushlstring(L, line, size);
  }
}

/* An __index that makes a value up, and sets the collector to work. */
static int make_up(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT, 0);
  lua_pushfstring(L, "/%s", lua_type(L, 2) == LUA_TSTRING
                                ? lua_tostring(L, 2)
                                : "x");
  return 1;
}

static int refuse(lua_State *L) {
  return luaL_error(L, "not to be had");
}

static void push_table(lua_State *L, bytes *b, int depth);

static void push_value(lua_State *L, bytes *b, int depth) {
  switch (choose(b, 8)) {
    case 0:
    case 1:
      push_text(L, b);
      break;
    case 2:
      lua_pushnumber(L, take_number(b));
      break;
    case 3:
      lua_pushinteger(L, (lua_Integer)take(b));
      break;
    case 4:
      lua_pushboolean(L, (int)choose(b, 2));
      break;
    case 5:
      lua_pushlightuserdata(L, NULL);
      break;
    default:
      push_table(L, b, depth - 1);
  }
}

static void add_metatable(lua_State *L, bytes *b) {
  static const char *const modes[] = {"v", "k", "kv"};
  lua_newtable(L);
  switch (choose(b, 3)) {
    case 0:
      lua_pushstring(L, modes[choose(b, 3)]);
      lua_setfield(L, -2, "__mode");
      break;
    case 1:
      lua_pushcfunction(L, make_up);
      lua_setfield(L, -2, "__index");
      break;
    default:
      lua_pushcfunction(L, refuse);
      lua_setfield(L, -2, "__index");
  }
  lua_setmetatable(L, -2);
}

static void push_table(lua_State *L, bytes *b, int depth) {
  luaL_checkstack(L, 8, NULL);
  lua_newtable(L);
  for (unsigned i = 0, count = choose(b, 12); depth > 0 && i < count; i++) {
    switch (choose(b, 4)) {
      case 0:
        lua_pushinteger(L, (lua_Integer)lua_rawlen(L, -1) + 1);
        break;
      case 1:
        push_value(L, b, 1);
        break;
      default:
        push_text(L, b);
    }
    if (lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TNUMBER &&
                             lua_tonumber(L, -1) != lua_tonumber(L, -1))) {
      lua_pop(L, 1);
      continue;
    }
    push_value(L, b, depth);
    lua_rawset(L, -3);
  }
  if (choose(b, 16) == 15) {
    add_metatable(L, b);
  }
}

/* A row that stands a chance: name and endpoint are there. */
static void push_row(lua_State *L, bytes *b) {
  push_table(L, b, DEPTH - 1);
  lua_pushliteral(L, "name");
  lua_pushstring(L, choose(b, 2) ? "videos" : "x");
  lua_rawset(L, -3);
  lua_pushliteral(L, "endpoint");
  lua_pushliteral(L, "/x");
  lua_rawset(L, -3);
}

static void push_options(lua_State *L, bytes *b) {
  lua_newtable(L);
  if (choose(b, 2)) {
    push_text(L, b);
    lua_setfield(L, -2, "edition");
  }
  if (choose(b, 8) == 7) {
    push_value(L, b, DEPTH);
  } else {
    lua_newtable(L);
    for (int i = 1, count = (int)choose(b, 4); i <= count; i++) {
      push_row(L, b);
      lua_rawseti(L, -2, i);
    }
  }
  lua_setfield(L, -2, "models");
}

static const char check[] =
    "local core, options, params, name = ...\n"
    "local made, catalog = pcall(core.catalog, options)\n"
    "if not made then\n"
    "  catalog = core.catalog {}\n"
    "end\n"
    "pcall(catalog.model, catalog, name)\n"
    "local rows = catalog:models()\n"
    "local copy = core.catalog { models = rows }:models()\n"
    "assert(#copy >= #rows)\n"
    "if type(params) ~= 'table' then\n"
    "  assert(not pcall(catalog.validate, catalog, params))\n"
    "  return\n"
    "end\n"
    "local ok, issues, warnings = catalog:validate(params)\n"
    "assert(ok == true or ok == false and #issues > 0)\n"
    "for _, list in ipairs { issues or {}, warnings or {} } do\n"
    "  for _, issue in ipairs(list) do\n"
    "    assert(issue.message:find(issue.field .. ' ', 1, true) == 1)\n"
    "    assert(utf8.len(issue.message) and not issue.message:find '%c')\n"
    "  end\n"
    "end\n";

static int run(lua_State *L) {
  bytes *b = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_requiref(L, "starvideos.core", luaopen_starvideos_core, 0);
  if (luaL_loadstring(L, check) != LUA_OK) {
    return lua_error(L);
  }
  lua_insert(L, -2);
  push_options(L, b);
  push_value(L, b, DEPTH);
  push_text(L, b);
  lua_call(L, 4, 0);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bytes b = {data, size};
  lua_State *L = luaL_newstate();
  HOLDS(L != NULL);
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, &b);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  lua_close(L);
  return 0;
}
