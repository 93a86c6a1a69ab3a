/*
** What other libraries have open in this process, SQLite and libpq: whether the
** descriptors are still theirs, and the path still leads to the file; and what
** keeps those libraries from using them where that is not so.
*/
#ifndef SV_BINDING_WATCH_H
#define SV_BINDING_WATCH_H

#include "binding/compat.h"

/* Adds watch, finalizer, abandon, sqlite_file, make_private, note_sqlite_locks and
** claim_sqlite_locks to the table on top. */
void sv_add_watch(lua_State *L);

#endif
