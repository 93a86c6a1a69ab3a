/*
** Regular files whose names are UTF-8 on every system; io.open takes those of
** the C library.
*/
#ifndef SV_BINDING_FILE_H
#define SV_BINDING_FILE_H

#include "binding/compat.h"

void sv_make_file_class(lua_State *L);

/* Adds open, remove, rename and file_size to the table on top. */
void sv_add_file_functions(lua_State *L);

#endif
