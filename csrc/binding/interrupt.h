/*
** Ctrl-C, for which the interpreter's handler sets a hook that raises an error.
*/
#ifndef SV_BINDING_INTERRUPT_H
#define SV_BINDING_INTERRUPT_H

#include "binding/compat.h"

/* To be called after a wait: raises that error where the hook is set. LuaJIT may
** go on for ever without it where another thread has set it, as on Windows. */
void sv_raise_interrupt(lua_State *L);

#endif
