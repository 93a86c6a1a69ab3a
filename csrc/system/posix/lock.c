#include "system/lock.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rules/visibility.h"

enum { MOST_TRIES = 100 };

/* Whether the path, which is no link, is still the file's: its last writer may
** have given it another name before it unlocked it. 0; SV_FILE_CHANGED where it is
** not; or the errno of a look that failed. */
static int look_again(int file, const char *path) {
  struct stat opened, named;
  if (fstat(file, &opened) != 0 || lstat(path, &named) != 0) {
    return errno == ENOENT ? SV_FILE_CHANGED : errno;
  }
  bool same = opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
  return same ? 0 : SV_FILE_CHANGED;
}

static int lock_once(int *file, const char *path, sv_file_access access) {
  int problem = access == SV_FILE_CREATE
                    ? sv_file_open_own(file, path, access, false)
                    : sv_file_open(file, path, access, false);
  if (problem) {
    return problem;
  }
  problem = flock(*file, LOCK_EX | LOCK_NB) == 0 ? look_again(*file, path)
                                                 : errno;
  if (problem) {
    close(*file);
    *file = -1;
  }
  return problem;
}

/* On a file system that never tells the same of a file twice this gives up. */
int sv_lock_open(int *file, const char *path, sv_file_access access) {
  int problem = SV_FILE_CHANGED;
  for (int tries = 0; tries < MOST_TRIES; tries++) {
    problem = lock_once(file, path, access);
    if (problem != SV_FILE_CHANGED) {
      break;
    }
  }
  return problem == SV_FILE_CHANGED ? EWOULDBLOCK : problem;
}

void sv_lock_unlock(int file) {
  flock(file, LOCK_UN);
}

void sv_lock_close(int file) {
  sv_lock_unlock(file);
  close(file);
}
