#define _GNU_SOURCE /* readlink */

#include "platform/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/hidden.h"

long sv_process_id(void) {
  return (long)getpid();
}

int sv_process_exists(long number) {
  if (number <= 0) {
    return -1; /* to kill(), a group of processes or all there are */
  } else if (kill((pid_t)number, 0) == 0 || errno == EPERM) {
    return 1;
  }
  return errno == ESRCH ? 0 : -1;
}

#ifdef __APPLE__

/* All processes of the machine see each other's numbers. */
size_t sv_process_namespace(const char *kind, char *name, size_t room) {
  (void)kind;
  int length = snprintf(name, room, "system");
  return length > 0 && (size_t)length < room ? (size_t)length : 0;
}

#else

size_t sv_process_namespace(const char *kind, char *name, size_t room) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/ns/%s", kind);
  ssize_t length = readlink(path, name, room);
  return length > 0 && (size_t)length < room ? (size_t)length : 0;
}

#endif

const char *sv_process_directory(char *path, size_t room) {
  return getcwd(path, room);
}
