/*
** Locks on files, against other processes and other openings in this one. The
** system removes them with the process, so that none outlasts a crash.
**
** Each int is 0 or an errno: EWOULDBLOCK where another holds the lock, else as
** of file.h.
*/
#ifndef SV_SYSTEM_LOCK_H
#define SV_SYSTEM_LOCK_H

#include "system/descriptor.h"
#include "system/file.h"

/* Opens a file as sv_file_open does, or where it may have to be made as
** sv_file_open_own, and locks it against other writers; `file` is -1 where that
** fails. Closed only, it would stay locked by a child that
** was forked meanwhile: sv_lock_close unlocks it first. */
int sv_lock_open(int *file, const char *path, sv_file_access access);
void sv_lock_unlock(int file);
void sv_lock_close(int file);

/* A lock file beside a target: its holder makes the target. All zero: not
** held. */
typedef struct sv_lock {
  char *path;
  sv_descriptor file;
  long owner; /* a process: in its children the lock is not theirs */
} sv_lock;

/* Makes the file where there is none. */
int sv_lock_take(sv_lock *lock, const char *path);

/* Removes the file and the lock. */
void sv_lock_release(sv_lock *lock);

#endif
