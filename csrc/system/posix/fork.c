#define _GNU_SOURCE /* PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP */

#include "system/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "system/clock.h"

#include "rules/visibility.h"

/* A fork must get its turn while threads go in and out all the time. */
#ifdef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#define FREE PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#else
#define FREE PTHREAD_RWLOCK_INITIALIZER
#endif

/* How long a fork and an exit wait; 0: a fork waits for as long as it takes.
** Each Lua state may have its thread. */
static _Atomic double fork_seconds = 0, exit_seconds = 1;

/* The process's own, as its forks are: read-locked by threads that are inside,
** write-locked by one that forks or exits. */
static pthread_rwlock_t inside = FREE;

static _Atomic unsigned forks;

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Of the fork under way: whether nobody is inside. */
static __thread bool is_alone;

#ifdef __APPLE__

/* There it has no limit of its own. */
static bool shut_out(double seconds) {
  const double until = sv_now() + seconds;
  while (pthread_rwlock_trywrlock(&inside) != 0) {
    if (sv_now() >= until) {
      return false;
    }
    sv_sleep(0.001);
  }
  return true;
}

#else

static bool shut_out(double seconds) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  double due = (double)until.tv_nsec / 1e9 + seconds;
  until.tv_sec += (time_t)due;
  until.tv_nsec = (long)((due - (double)(time_t)due) * 1e9);
  return pthread_rwlock_timedwrlock(&inside, &until) == 0;
}

#endif

static void before(void) {
  double seconds = fork_seconds;
  is_alone = seconds > 0 ? shut_out(seconds)
                         : pthread_rwlock_wrlock(&inside) == 0;
}

static void in_parent(void) {
  if (is_alone) {
    pthread_rwlock_unlock(&inside);
  }
}

static void in_child(void) {
  const pthread_rwlock_t free_again = FREE;
  inside = free_again;
  forks++;
}

/* Nobody gets in any more. */
static void at_exit(void) {
  if (shut_out(exit_seconds)) {
    forks++;
  }
}

static void start(void) {
  pthread_atfork(before, in_parent, in_child);
}

unsigned sv_fork_count(void) {
  pthread_once(&once, start);
  return forks;
}

void sv_fork_limit(double for_fork, double for_exit) {
  sv_fork_count();
  double longest = fork_seconds;
  while (for_fork > longest &&
         !atomic_compare_exchange_weak(&fork_seconds, &longest, for_fork)) {
  }
  exit_seconds = for_exit;
}

void sv_fork_guard_exit(void) {
  atexit(at_exit);
}

void sv_fork_hold(void) {
  pthread_rwlock_rdlock(&inside);
}

void sv_fork_release(void) {
  pthread_rwlock_unlock(&inside);
}
