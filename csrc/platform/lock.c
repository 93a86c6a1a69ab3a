#define _GNU_SOURCE /* strdup */

#include "platform/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "curl/sink.h"

int sv_lock_take(sv_lock *lock, const char *path) {
  char *copy = strdup(path);
  int file;
  int problem = copy ? sv_sink_lock(&file, path, O_RDWR | O_CREAT) : ENOMEM;
  if (problem) {
    free(copy);
    return problem;
  }
  lock->file = sv_descriptor_of(file);
  lock->path = copy;
  lock->owner = (long)getpid();
  return 0;
}

void sv_lock_release(sv_lock *lock) {
  if (!lock->path) {
    return;
  }
  if (lock->owner == (long)getpid()) {
    unlink(lock->path); /* before anybody else can take it */
    sv_sink_unlock(lock->file.number);
  } else {
    sv_descriptor_close(&lock->file);
  }
  free(lock->path);
  lock->path = NULL;
}
