#include "system/lock.h"

#include <errno.h>
#include <io.h>

#include "system/windows/win32.h"

#include "rules/visibility.h"

/* Who closes a file that was removed lets its name go a little later. */
enum { MOST_TRIES = 40, TRY_MILLISECONDS = 5 };

/* One byte that no file reaches: a locked one could not be read by others. */
static OVERLAPPED far_byte(void) {
  const OVERLAPPED place = {.Offset = 0, .OffsetHigh = 0x7fffffff};
  return place;
}

static int lock_byte(int file) {
  OVERLAPPED place = far_byte();
  return sv_win32_problem(LockFileEx(
      (HANDLE)_get_osfhandle(file),
      LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place));
}

/* Whether the path still leads to the file: its last writer may have given it
** another name, or removed it, before it unlocked it. */
static int look_again(int file, const char *path) {
  int named;
  sv_descriptor opened = sv_descriptor_of(file);
  int problem = sv_file_open(&named, path, SV_FILE_READ, false);
  if (problem) {
    return problem == ENOENT || problem == EACCES ? SV_FILE_CHANGED : problem;
  }
  sv_descriptor there = sv_descriptor_of(named);
  sv_file_close(named);
  return there.device == opened.device && there.inode == opened.inode ? 0
                                                                      : SV_FILE_CHANGED;
}

static int lock_once(int *file, const char *path, sv_file_access access) {
  int problem = access == SV_FILE_CREATE
                    ? sv_file_open_own(file, path, access, false)
                    : sv_file_open(file, path, access, false);
  if (problem) {
    return problem;
  }
  problem = lock_byte(*file);
  problem = problem ? problem : look_again(*file, path);
  if (problem) {
    sv_file_close(*file);
    *file = -1;
  }
  return problem;
}

/* A name that is about to go is refused like one that may not be opened. */
int sv_lock_open(int *file, const char *path, sv_file_access access) {
  int problem = lock_once(file, path, access);
  for (int tries = 1; tries < MOST_TRIES; tries++) {
    if (problem != SV_FILE_CHANGED && problem != EACCES) {
      break;
    }
    Sleep(TRY_MILLISECONDS);
    problem = lock_once(file, path, access);
  }
  return problem == SV_FILE_CHANGED || problem == EBUSY ? EWOULDBLOCK : problem;
}

void sv_lock_unlock(int file) {
  OVERLAPPED place = far_byte();
  UnlockFileEx((HANDLE)_get_osfhandle(file), 0, 1, 0, &place);
}

void sv_lock_close(int file) {
  sv_lock_unlock(file);
  sv_file_close(file);
}
