/*
** This process, and what can be told of others. All may be called on any
** thread.
*/
#ifndef SV_SYSTEM_PROCESS_H
#define SV_SYSTEM_PROCESS_H

#include <stddef.h>

enum { SV_PATH_ROOM = 4096 };

/* The number of this process, which is another in the child of a fork. */
long sv_process_id(void);

/* 1 where a process of this number runs or is a zombie, of any user; 0
** where there is none; -1 where that cannot be told. */
int sv_process_exists(long number);

/* The name of this process's namespace, `pid` or `time`, which tells it from
** any other that exists at the same time on this machine. The length, or 0
** where it has none that can be told or that fits. */
size_t sv_process_namespace(const char *kind, char *name, size_t room);

/* The working directory, in `path`; NULL where it was removed, cannot be told
** or does not fit. */
const char *sv_process_directory(char *path, size_t room);

/* From now on this process, root's, has the rights of that user and that group
** alone; until sv_process_act_as_oneself(), which never fails. Other groups of root
** are gone for good, for it needs none. 0, or the errno; ENOSYS on Windows. */
int sv_process_act_as(unsigned user, unsigned group);
void sv_process_act_as_oneself(void);

#endif
