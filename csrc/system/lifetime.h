/*
** When a process started, by which it is told from another that got its number
** later. May be called on any thread.
*/
#ifndef SV_SYSTEM_LIFETIME_H
#define SV_SYSTEM_LIFETIME_H

#include <stddef.h>

enum { SV_LIFETIME_ROOM = 32 };

/* 1 where a process of this number runs, 0 where it has ended and is still
** listed (a zombie), -1 where that cannot be told. `start` is a word, the same
** whoever asks on this machine until it starts again; empty where that is not
** known. */
int sv_lifetime_of(long number, char start[SV_LIFETIME_ROOM]);

#endif
