#include "platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *sv_file_kind(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) {
    return NULL;
  }
  return S_ISREG(status.st_mode)   ? "file"
         : S_ISDIR(status.st_mode) ? "directory"
                                   : "other";
}

/* 0 of a regular file, or an errno. */
static int look(int file) {
  struct stat status;
  if (fstat(file, &status) != 0) {
    return errno;
  }
  return S_ISREG(status.st_mode) ? 0 : S_ISDIR(status.st_mode) ? EISDIR : ENXIO;
}

int sv_file_open(int *file, const char *path, int flags, mode_t mode) {
  *file = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
  int problem = *file < 0 ? errno : look(*file);
  if (*file >= 0 && problem) {
    close(*file);
    *file = -1;
  }
  return problem;
}

const char *sv_file_problem(int problem) {
  return problem == ENXIO ? "it is a pipe, a socket or a device, not a file"
                          : strerror(problem);
}
