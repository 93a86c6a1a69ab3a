#define _GNU_SOURCE /* SCHED_BATCH */

#include "platform/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

typedef struct start {
  void *(*body)(void *);
  void *self;
} start;

static void *run(void *argument) {
  start s = *(start *)argument;
  free(argument);
#ifdef SCHED_BATCH
  /* A thread that wakes up would else push the host's off its processor in the
  ** midst of a frame. */
  const struct sched_param none = {0};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
#endif
  return s.body(s.self);
}

static int create(pthread_t *thread, size_t stack_bytes, start *s) {
  pthread_attr_t attributes;
  sigset_t all, before;
  int problem = pthread_attr_init(&attributes);
  if (problem) {
    return problem;
  }
  pthread_attr_setstacksize(&attributes, stack_bytes);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  problem = pthread_create(thread, &attributes, run, s);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return problem;
}

int sv_thread_start(pthread_t *thread, size_t stack_bytes,
                    void *(*body)(void *), void *self) {
  start *s = malloc(sizeof *s);
  if (!s) {
    return ENOMEM;
  }
  *s = (start){body, self};
  int problem = create(thread, stack_bytes, s);
  if (problem) {
    free(s);
  }
  return problem;
}
