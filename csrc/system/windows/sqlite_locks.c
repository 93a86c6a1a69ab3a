#include "system/sqlite_locks.h"

#include <stddef.h>

#include "rules/visibility.h"

/* There is no fork here, hence no child that lacks locks. */

sv_sqlite_locks *sv_sqlite_locks_note(const char *path) {
  (void)path;
  return NULL;
}

void sv_sqlite_locks_drop(sv_sqlite_locks *noted) {
  (void)noted;
}

void sv_sqlite_locks_lose(sv_sqlite_locks *noted) {
  (void)noted;
}

int sv_sqlite_locks_claim(const char *path) {
  (void)path;
  return 0;
}
