/*
** What can be told of processes, and a file for their owner alone. Libc alone.
*/
#ifndef SV_PLATFORM_PROCESS_H
#define SV_PLATFORM_PROCESS_H

#include <stddef.h>

/* 1 where a process of this number runs or is a zombie, whoever owns it; 0
** where there is none; -1 where that cannot be told. */
int sv_process_exists(long number);

/* The name of this process's namespace, `pid` or `time`, which tells it from
** any other that exists at the same time on this machine. The length, or 0
** where it has none that can be told or that fits. */
size_t sv_process_namespace(const char *kind, char *name, size_t room);

/* Makes an empty file that its owner alone may read. 0 or an errno; EEXIST
** where there is something of that name. */
int sv_private_file(const char *path);

#endif
