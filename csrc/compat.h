/*
** One source for Lua 5.1, 5.2, 5.3, 5.4 and LuaJIT: what the 5.1 C API
** lacks, under its later names. LuaJIT's lauxlib brings a part of it.
*/
#ifndef SV_COMPAT_H
#define SV_COMPAT_H

#include <lua.h>

#include <lauxlib.h>

#if LUA_VERSION_NUM < 502

#define lua_rawlen(L, i) lua_objlen(L, i)
#define lua_absindex(L, i) \
  ((i) > 0 || (i) <= LUA_REGISTRYINDEX ? (i) : lua_gettop(L) + (i) + 1)

#ifndef luaL_newlibtable
#define luaL_setfuncs(L, l, n) ((void)(n), luaL_register(L, NULL, l))
#define luaL_newlib(L, l) (lua_newtable(L), luaL_setfuncs(L, l, 0))
#define luaL_setmetatable(L, name) \
  (luaL_getmetatable(L, name), lua_setmetatable(L, -2))
#endif

#endif

#endif
