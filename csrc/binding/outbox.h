/*
** What networks and actors have in common for Lua: the methods of an outbox,
** and the wake-up as a value, by which one module's thread wakes a host that
** waits for another's, for both are built from one wakeup.h.
*/
#ifndef SV_BINDING_OUTBOX_H
#define SV_BINDING_OUTBOX_H

#include "binding/compat.h"
#include "thread/outbox.h"

void sv_make_wakeup_class(lua_State *L);

/* The wake-up at an index, or NULL for nil; raises for anything else. */
sv_wakeup *sv_read_wakeup(lua_State *L, int index);

/* Its wake-up; raises where it has none. */
sv_wakeup *sv_check_wakeup(lua_State *L, sv_outbox *outbox);

/* Gives the outbox of the object in the first slot; raises where that is
** closed, or something else. */
typedef sv_outbox *sv_outbox_of(lua_State *L);

/* Adds to a class that was made: ready() -> boolean; take() -> number, or
** nothing; in_flight() -> number; notifier() -> a share of its wake-up; wake();
** pollfd() -> descriptor; clear(); listen() -> path, or nil and why; accept() ->
** true, or nil and why. */
void sv_add_outbox_methods(lua_State *L, const char *name, sv_outbox_of *of);

#endif
