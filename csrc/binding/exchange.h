/*
** Requests as Lua tables, and what came of an exchange.
**
** A response has `status`, `headers` (by lower-case names), `http_version`,
** `bytes_sent`, `reused` (connection) and `elapsed` (seconds), and either
** `body` or, where the body went to a file, `file_offset` and `file_bytes`
** (where it began there, and how much it was) and `sha256` of the whole file.
**
** A failure has `reason` and `phase` (see curl/outcome.h), `message`, `sent`,
** `bytes_sent`, `received` (bytes), and `status`, `errno` and `body` (what came
** of it) where there are any.
*/
#ifndef SV_BINDING_EXCHANGE_H
#define SV_BINDING_EXCHANGE_H

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

/* --- what came of it ------------------------------------------------------ */

/* nil and a failure. */
int sv_push_failure(lua_State *L, const sv_outcome *outcome);

/* What a finished transfer returns: a response, or nil and a failure. */
int sv_push_result(lua_State *L, const sv_transfer *transfer,
                   const sv_outcome *outcome);

/* What is known before that: status and headers; nothing while the status is
** 0. */
int sv_push_answer(lua_State *L, const sv_transfer *transfer, long status);

#endif
