/*
** What csrc/system tells of the system, as functions of starvideos.core.
*/
#ifndef SV_BINDING_SYSTEM_H
#define SV_BINDING_SYSTEM_H

#include "binding/compat.h"

/* Adds them to the table at the top of the stack. */
void sv_add_system_functions(lua_State *L);

#endif
