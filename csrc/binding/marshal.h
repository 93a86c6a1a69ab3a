/*
** Plain data as bytes: nil, booleans, numbers, strings and tables of them, for
** a Lua state on another thread of the same process and the same Lua.
*/
#ifndef SV_BINDING_MARSHAL_H
#define SV_BINDING_MARSHAL_H

#include "binding/compat.h"
#include "rules/buffer.h"

/* Adds the values in the slots `first` to `last` of the stack. Raises where
** one holds something else, or tables deeper than 16, or memory is short; the
** buffer stays the caller's. Metatables do not travel, nor does identity. */
void sv_write_values(lua_State *L, int first, int last, sv_buffer *buffer);

/* Pushes what was written, from the byte `at` on; gives how many values. */
int sv_push_values(lua_State *L, const sv_buffer *buffer, size_t at);

#endif
