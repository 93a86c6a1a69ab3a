/*
** A regular file, told from what only stands under a name like one: a pipe, a
** socket or a device, which could keep whoever opens or reads it for ever.
*/
#ifndef SV_PLATFORM_FILE_H
#define SV_PLATFORM_FILE_H

#include <sys/types.h>

/* "file", "directory" or "other"; NULL where there is none, or none to be
** seen. */
const char *sv_file_kind(const char *path);

/* Opens a regular file, with `flags` as of open(2), and never waits for it:
** 0, or an errno and `file` -1. EISDIR of a directory, ENXIO of what is no file
** at all. */
int sv_file_open(int *file, const char *path, int flags, mode_t mode);

/* What an errno of these means, in words. */
const char *sv_file_problem(int problem);

#endif
