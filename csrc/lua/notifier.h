/*
** Notifiers for Lua: as values, by which one module's thread wakes a host that
** waits for another's, for both are built from one notifier.h; and as methods
** of what has a notifier.
*/
#ifndef SV_LUA_NOTIFIER_H
#define SV_LUA_NOTIFIER_H

#include "lua/compat.h"
#include "platform/notifier.h"

void sv_make_notifier_class(lua_State *L);

/* The notifier at an index, or NULL for nil; raises for anything else. */
sv_notifier *sv_read_notifier(lua_State *L, int index);

/* Gives the notifier of the object in the first slot; raises where that is
** closed, or something else. */
typedef sv_notifier *sv_notifier_of(lua_State *L);

/* Pushes a share of that notifier. Asks for it last: before, Lua's collector
** may run finalizers, which could close the object. */
void sv_push_notifier(lua_State *L, sv_notifier_of *of);

/* Adds to a class that was made: pollfd() -> descriptor; clear(); listen() ->
** path, or nil and why; accept() -> true, or nil and why. */
void sv_add_notifier_methods(lua_State *L, const char *name,
                             sv_notifier_of *of);

#endif
