/*
** Random numbers of the system. May be called on any thread.
*/
#ifndef SV_SYSTEM_RANDOM_H
#define SV_SYSTEM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* Fills in all bytes; false where the system gives none. */
bool sv_random_bytes(void *bytes, size_t size);

#endif
