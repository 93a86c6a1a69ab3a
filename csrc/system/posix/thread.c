#define _GNU_SOURCE /* SCHED_BATCH */

#include "system/thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "system/locale.h"

#include "rules/visibility.h"

typedef struct start {
  void (*body)(void *);
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
  sv_locale locale;
  bool entered = sv_locale_enter(&locale);
  s.body(s.self);
  if (entered) {
    sv_locale_leave(&locale);
  }
  return NULL;
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

int sv_thread_start(sv_thread *thread, size_t stack_bytes,
                    void (*body)(void *), void *self) {
  pthread_t created;
  start *s = malloc(sizeof *s);
  if (!s) {
    return ENOMEM;
  }
  *s = (start){body, self};
  int problem = create(&created, stack_bytes, s);
  if (problem) {
    free(s);
  } else {
    thread->handle = (void *)(uintptr_t)created;
  }
  return problem;
}

void sv_thread_join(sv_thread thread) {
  pthread_join((pthread_t)(uintptr_t)thread.handle, NULL);
}

void sv_thread_detach(sv_thread thread) {
  pthread_detach((pthread_t)(uintptr_t)thread.handle);
}

/* --- once ----------------------------------------------------------------- */

#define FREE PTHREAD_MUTEX_INITIALIZER

static pthread_mutex_t lock = FREE;

/* Another thread of the parent's may have held it, and was not done. */
static void in_child(void) {
  const pthread_mutex_t free_again = FREE;
  lock = free_again;
}

static void watch_forks(void) {
  pthread_atfork(NULL, NULL, in_child);
}

void sv_thread_once(int *done, void (*function)(void)) {
  static pthread_once_t watched = PTHREAD_ONCE_INIT;
  if (__atomic_load_n(done, __ATOMIC_ACQUIRE)) {
    return;
  }
  pthread_once(&watched, watch_forks);
  pthread_mutex_lock(&lock);
  if (!*done) {
    function();
    __atomic_store_n(done, 1, __ATOMIC_RELEASE);
  }
  pthread_mutex_unlock(&lock);
}
