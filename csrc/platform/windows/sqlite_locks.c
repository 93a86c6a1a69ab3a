#include "platform/sqlite_locks.h"

#include "core/hidden.h"

/* There is no fork here, hence no child that lacks locks. */

void sv_sqlite_locks_note(const char *path) {
  (void)path;
}

int sv_sqlite_locks_claim(const char *path) {
  (void)path;
  return 0;
}
