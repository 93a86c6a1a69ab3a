/*
** The catalog and the validator for Lua.
*/
#ifndef SV_BINDING_CATALOG_H
#define SV_BINDING_CATALOG_H

#include "binding/compat.h"

/* Adds to the table on top: catalog { edition =, models = }, an object with
** validate(params), models() and model(name); fields(); codes and
** warning_codes. */
void sv_add_catalog(lua_State *L);

#endif
