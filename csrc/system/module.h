/*
** The shared libraries that the program has loaded.
*/
#ifndef SV_SYSTEM_MODULE_H
#define SV_SYSTEM_MODULE_H

/* Keeps the library in which an address lies loaded until the process ends: a
** thread may still be running there when the Lua state that loaded it
** closes. */
void sv_module_keep(const void *address);

#endif
