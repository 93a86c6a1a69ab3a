/*
** What came of an exchange, as Lua tables.
*/
#ifndef SV_LUA_RESPONSE_H
#define SV_LUA_RESPONSE_H

#include "curl/engine.h"
#include "lua/compat.h"

/* Each pushes one table. */
void sv_push_failure(lua_State *L, const sv_outcome *outcome);
void sv_push_response(lua_State *L, const sv_transfer *transfer,
                      const sv_outcome *outcome);

/* What a finished transfer returns: a response, or nil and a failure. */
int sv_push_result(lua_State *L, const sv_transfer *transfer,
                   const sv_outcome *outcome);

/* What it tells before: status and headers, or nothing while that is 0. */
int sv_push_answer(lua_State *L, const sv_transfer *transfer, long status);

/* Bytes received, in all (nil where unknown) and sent. */
int sv_push_progress(lua_State *L, sv_progress progress);

/* Sets a field of the table on top. */
void sv_set_integer(lua_State *L, const char *name, long long number);

#endif
