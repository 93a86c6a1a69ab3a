#include "binding/value.h"

#include <math.h>
#include <string.h>

#include "rules/visibility.h"

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

void sv_push_number(lua_State *L, double number) {
  if (sv_is_whole(number) && fabs(number) < SV_MAX_WHOLE) {
    sv_push_integer(L, (long long)number);
  } else {
    lua_pushnumber(L, (lua_Number)number);
  }
}
