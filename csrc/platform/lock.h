/*
** A lock file beside a target: whoever holds it makes the target. The system
** lets go of it with the process, so that none outlasts a crash.
*/
#ifndef SV_PLATFORM_LOCK_H
#define SV_PLATFORM_LOCK_H

#include "platform/descriptor.h"

/* All zero: not held. */
typedef struct sv_lock {
  char *path;
  sv_descriptor file;
  long owner; /* a process: in its children the lock is not theirs */
} sv_lock;

/* Makes the file where there is none. 0 or an errno, EWOULDBLOCK where another
** holds it. */
int sv_lock_take(sv_lock *lock, const char *path);

/* Removes the file and lets go of it. */
void sv_lock_release(sv_lock *lock);

#endif
