/*
** Requests as Lua tables.
*/
#ifndef SV_LUA_REQUEST_H
#define SV_LUA_REQUEST_H

#include "curl/engine.h"
#include "lua/compat.h"

enum { SV_FEW_HEADERS = 8 };

/* Reads the table in a slot of the stack. Its texts stay Lua's: they are left
** on the stack, and so are its headers where they are more than those few.
** Raises where a field is of a wrong type. */
void sv_read_request(lua_State *L, int table, sv_request *request,
                     sv_header few[SV_FEW_HEADERS]);

/* Reads the options of an engine, which may be absent: `ca_file` (left on the
** stack; NULL: none) and `max_in_flight` (64). Raises likewise. */
const char *sv_read_engine(lua_State *L, int table, int *max_in_flight);

#endif
