#define _GNU_SOURCE /* renameat2, strdup, O_DIRECTORY */

#include "curl/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "curl/sink.h"

/* What file systems answer that cannot do it, or kernels that never could. */
static bool unsupported(int problem) {
  return problem == EINVAL || problem == ENOSYS || problem == EPERM ||
         problem == ENOTSUP || problem == EOPNOTSUPP;
}

static int link_over(const char *part, const char *path) {
  if (link(part, path) != 0) {
    return errno;
  }
  unlink(part);
  return 0;
}

/* Where not even links exist, a file that comes up between the two calls is
** lost. */
static int look_and_rename(const char *part, const char *path) {
  if (access(path, F_OK) == 0) {
    return EEXIST;
  }
  return rename(part, path) == 0 ? 0 : errno;
}

static int rename_to_free_name(const char *part, const char *path) {
  int problem = ENOSYS;
#ifdef RENAME_NOREPLACE
  unsigned how = RENAME_NOREPLACE;
  problem = renameat2(AT_FDCWD, part, AT_FDCWD, path, how) == 0 ? 0 : errno;
#endif
  problem = unsupported(problem) ? link_over(part, path) : problem;
  return unsupported(problem) ? look_and_rename(part, path) : problem;
}

static char *directory_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) {
    return strdup(".");
  }
  return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* One that may be written but not read cannot be synced, nor can those of
** some file systems: the file itself is on the disk already. */
static int sync_directory(const char *directory) {
  int problem = 0;
  int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file >= 0 && fsync(file) != 0 && !unsupported(errno)) {
    problem = errno;
  }
  if (file >= 0) {
    close(file);
  }
  return problem;
}

static int rename_whole(int file, const char *part, const char *path,
                        long long size, bool overwrite) {
  struct stat now;
  if (fstat(file, &now) != 0) {
    return errno;
  }
  if (now.st_size != (off_t)size) {
    return ESTALE;
  }
  int problem = sv_sink_sync(file);
  if (problem) {
    return problem;
  }
  if (!overwrite) {
    return rename_to_free_name(part, path);
  }
  return rename(part, path) == 0 ? 0 : errno;
}

int sv_commit(const char *part, const char *path, long long size,
             bool overwrite) {
  char *directory = directory_of(path); /* no shortage after the rename */
  int file;
  int problem = directory ? sv_sink_lock(&file, part, O_RDWR) : ENOMEM;
  if (problem == 0) {
    problem = rename_whole(file, part, path, size, overwrite);
    sv_sink_unlock(file);
    problem = problem ? problem : sync_directory(directory);
  }
  free(directory);
  return problem;
}

static int unlink_open(int file, const char *part, bool only_empty) {
  struct stat now;
  if (fstat(file, &now) != 0) {
    return errno;
  }
  if (only_empty && now.st_size > 0) {
    return 0;
  }
  return unlink(part) == 0 ? 0 : errno;
}

int sv_discard(const char *part, bool only_empty) {
  int file;
  int problem = sv_sink_lock(&file, part, O_RDWR);
  if (problem) {
    return problem == ENOENT ? 0 : problem;
  }
  problem = unlink_open(file, part, only_empty);
  sv_sink_unlock(file);
  return problem;
}
