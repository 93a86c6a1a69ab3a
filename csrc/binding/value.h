/*
** Single values between Lua and the core.
*/
#ifndef SV_BINDING_VALUE_H
#define SV_BINDING_VALUE_H

#include "rules/value.h"
#include "binding/compat.h"

/* The value at an index; a table without its entries. Its text is Lua's. */
sv_value sv_to_value(lua_State *L, int index);

/* An integer where the number is whole, for Lua 5.3 and later. */
void sv_push_number(lua_State *L, double number);

#endif
