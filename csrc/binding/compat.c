#include "binding/compat.h"

#include <math.h>
#include <string.h>

#include "rules/visibility.h"

int sv_call(lua_State *L, lua_CFunction function, void *argument) {
#if LUA_VERSION_NUM < 502
  return lua_cpcall(L, function, argument);
#else
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, argument);
  return lua_pcall(L, 1, 0, 0);
#endif
}

void sv_make_class(lua_State *L, const char *name, const luaL_Reg *methods) {
  if (luaL_newmetatable(L, name)) {
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
  }
  lua_pop(L, 1);
}

void *sv_new_object(lua_State *L, const char *class, size_t size) {
  void *object = lua_newuserdata(L, size);
  memset(object, 0, size);
  luaL_setmetatable(L, class);
  return object;
}

void sv_set_text(lua_State *L, const char *name, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

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

void sv_push_integer(lua_State *L, long long number) {
#if LUA_VERSION_NUM >= 503
  if ((lua_Integer)number == number) {
    lua_pushinteger(L, (lua_Integer)number);
    return;
  }
#endif
  lua_pushnumber(L, (lua_Number)number);
}

void sv_push_known(lua_State *L, long long number) {
  if (number >= 0) {
    sv_push_integer(L, number);
  } else {
    lua_pushnil(L);
  }
}

void sv_push_number(lua_State *L, double number) {
  if (sv_is_whole(number) && fabs(number) < SV_MAX_WHOLE) {
    sv_push_integer(L, (long long)number);
  } else {
    lua_pushnumber(L, (lua_Number)number);
  }
}

/* As the stand-alone interpreters of all Luas set it: at whatever comes next.
** Their hook takes itself away. */
void sv_raise_interrupt(lua_State *L) {
  const int anything = LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT;
  lua_Hook hook = lua_gethook(L);
  if (hook != NULL && lua_gethookcount(L) == 1 &&
      (lua_gethookmask(L) & anything) == anything) {
    lua_Debug record = {0};
    record.event = LUA_HOOKCOUNT;
    hook(L, &record);
  }
}
