#define _GNU_SOURCE /* PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP */

#include "forks.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* A fork must come about while threads go in and out all the time. */
#ifdef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#define FREE PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#else
#define FREE PTHREAD_RWLOCK_INITIALIZER
#endif

enum { EXIT_SECONDS = 1 };

/* The process's own, as its forks are: read by who is inside, written by who
** forks or exits. */
static pthread_rwlock_t inside = FREE;

static unsigned forks; /* atomic */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void before(void) {
  pthread_rwlock_wrlock(&inside);
}

static void in_parent(void) {
  pthread_rwlock_unlock(&inside);
}

static void in_child(void) {
  const pthread_rwlock_t free_again = FREE;
  inside = free_again;
  __atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED);
}

/* Nobody comes in any more. */
static void at_exit(void) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += EXIT_SECONDS;
  if (pthread_rwlock_timedwrlock(&inside, &until) == 0) {
    __atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED);
  }
}

static void start(void) {
  pthread_atfork(before, in_parent, in_child);
}

unsigned sv_forks(void) {
  pthread_once(&once, start);
  return __atomic_load_n(&forks, __ATOMIC_RELAXED);
}

void sv_forks_guard_exit(void) {
  atexit(at_exit);
}

void sv_forks_hold(void) {
  pthread_rwlock_rdlock(&inside);
}

void sv_forks_let(void) {
  pthread_rwlock_unlock(&inside);
}
