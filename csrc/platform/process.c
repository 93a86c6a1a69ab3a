#define _GNU_SOURCE /* O_CLOEXEC, readlink */

#include "platform/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

int sv_process_exists(long number) {
  if (number <= 0) {
    return -1; /* to kill(), a group of processes or all there are */
  } else if (kill((pid_t)number, 0) == 0 || errno == EPERM) {
    return 1;
  }
  return errno == ESRCH ? 0 : -1;
}

size_t sv_process_namespace(const char *kind, char *name, size_t room) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
  ssize_t length = readlink(path, name, room);
  return length > 0 && (size_t)length < room ? (size_t)length : 0;
}

int sv_private_file(const char *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    return errno;
  }
  close(file);
  return 0;
}
