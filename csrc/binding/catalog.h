/*
** Models, rows of the catalog, as Lua tables, both ways.
*/
#ifndef SV_BINDING_CATALOG_H
#define SV_BINDING_CATALOG_H

#include "rules/model.h"
#include "binding/compat.h"

/* Pushes a table that sv_read_row takes back. */
void sv_push_row(lua_State *L, const sv_model *row);

/* Reads the row at the top of the stack, the number-th of the caller's. Its
** texts stay Lua's: the table in slot `words` keeps them alive. Raises where
** the row is malformed, and names row and field. */
void sv_read_row(lua_State *L, int number, int words, sv_model *row);

/* Whether the value at the top of the stack is a table and all in it stands
** under 1, 2, 3 and so on. */
bool sv_is_list(lua_State *L);

#endif
