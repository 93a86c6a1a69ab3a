#define _GNU_SOURCE /* strdup */

#include "system/lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "system/process.h"

#include "rules/visibility.h"

int sv_lock_take(sv_lock *lock, const char *path) {
  char *copy = strdup(path);
  int file;
  int problem = copy ? sv_lock_open(&file, path, SV_FILE_CREATE) : ENOMEM;
  if (problem) {
    free(copy);
    return problem;
  }
  lock->file = sv_descriptor_of(file);
  lock->path = copy;
  lock->owner = sv_process_id();
  return 0;
}

void sv_lock_release(sv_lock *lock) {
  if (!lock->path) {
    return;
  }
  if (lock->owner != sv_process_id()) {
    sv_descriptor_close(&lock->file);
  } else if (sv_descriptor_holds(&lock->file)) {
    sv_file_remove(lock->path); /* before anybody else can take it */
    sv_lock_close(lock->file.number);
  } /* else the host has closed it, and others may have the lock by now */
  free(lock->path);
  lock->path = NULL;
}
