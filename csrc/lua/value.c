#include "lua/value.h"

#include <math.h>
#include <string.h>

#include "core/hidden.h"

sv_value sv_to_value(lua_State *L, int index) {
  sv_value value;
  memset(&value, 0, sizeof value);
  int type = lua_type(L, index);
  if (type == LUA_TSTRING) {
    value.kind = SV_TEXT;
    value.as.text.at = lua_tolstring(L, index, &value.as.text.length);
  } else if (type == LUA_TNUMBER) {
    value = sv_number((double)lua_tonumber(L, index));
  } else if (type == LUA_TTABLE) {
    value.kind = SV_TABLE;
  } else if (type == LUA_TLIGHTUSERDATA && !lua_touserdata(L, index)) {
    value.kind = SV_NULL; /* as lua-cjson has it */
  } else {
    value.kind = SV_OTHER;
    value.as.type = luaL_typename(L, index);
  }
  return value;
}

/* Puts the value on top in the place of the one below it, whose key is below
** that. */
static void replace(lua_State *L, int table) {
  lua_pushvalue(L, -3);
  lua_insert(L, -2);
  lua_rawset(L, table);
}

bool sv_make_plain(lua_State *L, int table) {
  bool is_large = false;
  luaL_checkstack(L, 5, "a table");
  lua_pushnil(L);
  while (lua_next(L, table)) {
    int type = lua_type(L, -1);
    if (type == LUA_TTABLE) {
      is_large = sv_make_plain(L, lua_gettop(L)) || is_large;
    } else if (type == LUA_TNUMBER) {
      is_large = is_large || fabs((double)lua_tonumber(L, -1)) >= 1e15;
      if (sv_push_whole(L)) {
        replace(L, table);
      }
    } else if (type == LUA_TLIGHTUSERDATA && !lua_touserdata(L, -1)) {
      lua_pushnil(L);
      replace(L, table);
    }
    lua_pop(L, 1);
  }
  return is_large;
}

void sv_push_number(lua_State *L, double number) {
  if (sv_is_whole(number) && fabs(number) < SV_MAX_WHOLE) {
    sv_push_integer(L, (long long)number);
  } else {
    lua_pushnumber(L, (lua_Number)number);
  }
}
