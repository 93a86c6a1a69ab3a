#include "forks.h"

#include <pthread.h>

/* Written in a child only, before it has another thread. */
static unsigned forks;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void on_fork(void) {
  forks++;
}

static void start(void) {
  pthread_atfork(NULL, NULL, on_fork);
}

unsigned sv_forks(void) {
  pthread_once(&once, start);
  return forks;
}
