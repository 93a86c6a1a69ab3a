/*
** What came of an exchange, as Lua tables.
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
#ifndef SV_BINDING_RESPONSE_H
#define SV_BINDING_RESPONSE_H

#include "http/engine.h"
#include "binding/compat.h"

void sv_push_failure(lua_State *L, const sv_outcome *outcome);

/* What a finished transfer returns: a response, or nil and a failure. `reads` is
** where on the stack a list stands of the names, in lower case, of the headers
** that are read, none where the first is missing; the response has no others,
** and nothing of the connection. All is there where no list is. */
int sv_push_result(lua_State *L, int reads, const sv_transfer *transfer,
                   const sv_outcome *outcome);

/* What is known before that: status and headers; nothing while the status is
** 0. */
int sv_push_answer(lua_State *L, const sv_transfer *transfer, long status);

/* Bytes received, in all (nil where unknown) and sent. */
int sv_push_progress(lua_State *L, sv_progress progress);

/* Sets a field of the table on top. */
void sv_set_integer(lua_State *L, const char *name, long long number);

#endif
