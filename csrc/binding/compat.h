/*
** What all bindings share, and one source for Lua 5.1 to 5.5 and LuaJIT: what the
** 5.1 C API lacks, under its later names. LuaJIT has a part of it, which is not used: Lua 5.1
** and LuaJIT look for modules in the same folder, so what is built for one
** must load in the other.
*/
#ifndef SV_BINDING_COMPAT_H
#define SV_BINDING_COMPAT_H

#include <lua.h>

#include <lauxlib.h>

#include "rules/value.h"

#if LUA_VERSION_NUM < 502

#define lua_rawlen(L, i) lua_objlen(L, i)
#define lua_absindex(L, i) \
  ((i) > 0 || (i) <= LUA_REGISTRYINDEX ? (i) : lua_gettop(L) + (i) + 1)

#undef luaL_newlib
#define luaL_setfuncs(L, l, n) ((void)(n), luaL_register(L, NULL, l))
#define luaL_newlib(L, l) (lua_newtable(L), luaL_setfuncs(L, l, 0))
#define luaL_setmetatable(L, name) \
  (luaL_getmetatable(L, name), lua_setmetatable(L, -2))

#endif

#if LUA_VERSION_NUM < 503
#define lua_isinteger(L, i) ((void)(L), (void)(i), 0)
#endif

/* The table of a userdata: sets it to what is on top, or pushes it. */
#if LUA_VERSION_NUM < 502
#define sv_set_user_table(L, i) lua_setfenv(L, i)
#define sv_get_user_table(L, i) lua_getfenv(L, i)
#else
#define sv_set_user_table(L, i) lua_setuservalue(L, i)
#define sv_get_user_table(L, i) lua_getuservalue(L, i)
#endif

/* Calls a C function with a pointer as its argument; gives lua_pcall's code. */
int sv_call(lua_State *L, lua_CFunction function, void *argument);

/* LuaRocks builds for its own Lua, which need not be the one its user runs. */
#ifdef SV_TELL_LUA
#define SV_PRAGMA(text) _Pragma(#text)
#define SV_TELL_VERSION                                     \
  SV_PRAGMA(message("Building starvideos for " LUA_VERSION  \
    "; for another one: luarocks --lua-version VERSION ..."))
#else
#define SV_TELL_VERSION
#endif

/* Makes the metatable of a class of userdata, which is its own index. Of a class
** that both modules have, the first to be loaded has made it: it is the last to
** be unloaded. */
void sv_make_class(lua_State *L, const char *name, const luaL_Reg *methods);

/* A userdata of that class, all zero: its finalizer may run before it is filled. */
void *sv_new_object(lua_State *L, const char *class, size_t size);

/* Sets a field of the table on top; NULL is nil. */
void sv_set_text(lua_State *L, const char *name, const char *text);

/* The value at an index; a table without its entries. Its text is Lua's. */
sv_value sv_to_value(lua_State *L, int index);

/* As an integer where Lua has them, and whole where those have 32 bits. */
void sv_push_integer(lua_State *L, long long number);

/* The same; nil where it is less than 0. */
void sv_push_known(lua_State *L, long long number);

/* An integer where the number is whole, for Lua 5.3 and later. */
void sv_push_number(lua_State *L, double number);

/* To be called after a wait that Ctrl-C ends, for which the interpreter's handler
** sets a hook that raises an error: raises it where the hook is set. LuaJIT may go
** on for ever without it where another thread has set it, as on Windows. */
void sv_raise_interrupt(lua_State *L);

#endif
