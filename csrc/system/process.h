/*
** This process, what can be told of others, and the machine. All may be called
** on any thread. What gives a size_t gives the length of what it has written, or
** 0 where that cannot be told or does not fit.
*/
#ifndef SV_SYSTEM_PROCESS_H
#define SV_SYSTEM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

enum { SV_PATH_ROOM = 4096 };

/* The number of this process, which is another in the child of a fork. */
long sv_process_id(void);

/* 1 where a process of this number runs or is a zombie, of any user; 0
** where there is none; -1 where that cannot be told. */
int sv_process_exists(long number);

/* The name of this process's namespace, `pid` or `time`, which tells it from
** any other that exists at the same time on this machine. */
size_t sv_process_namespace(const char *kind, char *name, size_t room);

/* The working directory, in `path`; NULL where it was removed, cannot be told
** or does not fit. */
const char *sv_process_directory(char *path, size_t room);

/* From now on this process, root's, has the rights of that user and that group
** alone; until sv_process_act_as_oneself(), which never fails. Other groups of root
** are gone for good, for it needs none. 0, or the errno; ENOSYS on Windows. */
int sv_process_act_as(unsigned user, unsigned group);
void sv_process_act_as_oneself(void);

enum { SV_LIFETIME_ROOM = 32 };

/* 1 where a process of this number runs, 0 where it has ended and is still
** listed (a zombie), -1 where that cannot be told. `start` is a word, the same
** whoever asks on this machine until it starts again; empty where that is not
** known. */
int sv_lifetime_of(long number, char start[SV_LIFETIME_ROOM]);

/* The host name, in UTF-8. */
size_t sv_machine_name(char *text, size_t room);

/* What is the same for all processes until the machine starts again, and
** another afterwards. */
size_t sv_machine_boot(char *text, size_t room);

/* Keeps the library in which an address lies loaded until the process ends: a
** thread may still be running there when the Lua state that loaded it
** closes. */
void sv_module_keep(const void *address);

/* Fills in all bytes; false where the system gives none. */
bool sv_random_bytes(void *bytes, size_t size);

/* --- what whoever started it has told it, in UTF-8 ------------------------ */

/* Whether there is a variable of this name, while none changes the
** environment. `size` is what its value takes with its ending zero; it is copied
** where that fits. */
bool sv_environment_get(const char *name, char *value, size_t room,
                        size_t *size);

/* The words of the command line, the program's name first, each with its ending
** zero; malloc'd, the caller's. NULL where memory is short, or what main() gets
** is UTF-8 already. */
char *sv_environment_words(int *count);

#endif
