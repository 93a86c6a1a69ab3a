/*
** Wakeups for Lua: as values, by which one module's thread wakes a host that
** waits for another's, for both are built from one wakeup.h; and as methods
** of what has a wakeup.
*/
#ifndef SV_BINDING_OUTBOX_H
#define SV_BINDING_OUTBOX_H

#include "binding/compat.h"
#include "system/wakeup.h"

void sv_make_wakeup_class(lua_State *L);

/* The wakeup at an index, or NULL for nil; raises for anything else. */
sv_wakeup *sv_read_wakeup(lua_State *L, int index);

/* Gives the wakeup of the object in the first slot; raises where that is
** closed, or something else. */
typedef sv_wakeup *sv_wakeup_of(lua_State *L);

/* Pushes a share of that wakeup. Asks for it last: before, Lua's collector
** may run finalizers, which could close the object. */
void sv_push_wakeup(lua_State *L, sv_wakeup_of *of);

/* Adds to a class that was made: pollfd() -> descriptor; clear(); listen() ->
** path, or nil and why; accept() -> true, or nil and why. */
void sv_add_wakeup_methods(lua_State *L, const char *name,
                             sv_wakeup_of *of);

#endif
