/*
** Requests as Lua tables.
*/
#ifndef SV_BINDING_REQUEST_H
#define SV_BINDING_REQUEST_H

#include "http/engine.h"
#include "binding/compat.h"

enum { SV_FEW_HEADERS = 8 };

/* Reads the table in a slot of the stack. Its texts stay Lua's: they are left
** on the stack, and so are its headers where they are more than those few.
** Raises where a field is of a wrong type. */
void sv_read_request(lua_State *L, int table, sv_request *request,
                     sv_header few[SV_FEW_HEADERS]);

/* The box on top is about to get the ticket of the request: where
** the table has a function `guard`, the box becomes its field `ticket`, so that
** its answer is found though an error ends the caller, and the guard is
** called. Nothing of the submit that follows may raise. False, and a failure,
** where the table has a true field `revoked` behind that: it must not be sent. */
bool sv_guard_request(lua_State *L, int table, sv_outcome *failure);

/* Reads the options of a network, which may be absent: `ca_file` (left on the
** stack; NULL: none), `max_in_flight` (64) and `inline`. Raises likewise. */
const char *sv_read_network(lua_State *L, int table, int *max_in_flight,
                            bool *is_inline);

#endif
