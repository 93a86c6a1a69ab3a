#include "platform/atfork.h"

#include "core/hidden.h"

/* There is no fork here, and an exit needs no guard: ExitProcess ends all other
** threads before a library is told, so that none of ours is inside of one that
** cleans up. */

unsigned sv_atfork_count(void) {
  return 0;
}

void sv_atfork_guard_exit(void) {
}

void sv_atfork_limit(double for_fork, double for_exit) {
  (void)for_fork, (void)for_exit;
}

void sv_atfork_hold(void) {
}

void sv_atfork_release(void) {
}
