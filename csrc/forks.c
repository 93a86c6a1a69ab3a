#define _GNU_SOURCE /* PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP */

#include "forks.h"

#include <pthread.h>

/* A fork must come about while threads go in and out all the time. */
#ifdef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#define FREE PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#else
#define FREE PTHREAD_RWLOCK_INITIALIZER
#endif

/* The process's own, as its forks are: read by who is inside, written by who
** forks. */
static pthread_rwlock_t inside = FREE;

/* Written in a child only, before it has another thread. */
static unsigned forks;

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
  forks++;
}

static void start(void) {
  pthread_atfork(before, in_parent, in_child);
}

unsigned sv_forks(void) {
  pthread_once(&once, start);
  return forks;
}

void sv_forks_hold(void) {
  pthread_rwlock_rdlock(&inside);
}

void sv_forks_let(void) {
  pthread_rwlock_unlock(&inside);
}
