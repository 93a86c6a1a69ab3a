/*
** The file of a ledger, see platform/sqlite_file.h, as a userdata.
*/
#ifndef SV_BINDING_SQLITE_FILE_H
#define SV_BINDING_SQLITE_FILE_H

#include "binding/compat.h"

/* Adds `sqlite_file` to the table at the top of the stack. */
void sv_add_sqlite_file(lua_State *L);

#endif
