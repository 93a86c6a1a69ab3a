#define _GNU_SOURCE /* SCHED_BATCH, uselocale */

#include "system/thread.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __APPLE__
#include <dispatch/dispatch.h>
#include <xlocale.h>
#else
#include <semaphore.h>
#endif

#include "system/clock.h"

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

void sv_thread_once(_Atomic bool *done, void (*function)(void)) {
  static pthread_once_t watched = PTHREAD_ONCE_INIT;
  if (*done) {
    return;
  }
  pthread_once(&watched, watch_forks);
  pthread_mutex_lock(&lock);
  if (!*done) {
    function();
    *done = true;
  }
  pthread_mutex_unlock(&lock);
}

/* --- semaphores ----------------------------------------------------------- */

#ifdef __APPLE__

static const double LONGEST_SECONDS = 1e9; /* of an int64_t of nanoseconds */

/* Those of POSIX are not there. The system's, under a name of its own. */
static dispatch_semaphore_t count_of(sv_semaphore *semaphore) {
  return (dispatch_semaphore_t)semaphore;
}

sv_semaphore *sv_semaphore_new(void) {
  return (sv_semaphore *)dispatch_semaphore_create(0);
}

void sv_semaphore_free(sv_semaphore *semaphore) {
  if (semaphore) {
    dispatch_release(count_of(semaphore));
  }
}

void sv_semaphore_post(sv_semaphore *semaphore) {
  dispatch_semaphore_signal(count_of(semaphore));
}

bool sv_semaphore_wait(sv_semaphore *semaphore, double seconds) {
  dispatch_time_t until = DISPATCH_TIME_FOREVER;
  if (seconds < LONGEST_SECONDS) {
    until = dispatch_time(DISPATCH_TIME_NOW,
                          seconds > 0 ? (int64_t)(seconds * 1e9) : 0);
  }
  return dispatch_semaphore_wait(count_of(semaphore), until) == 0;
}

#else

struct sv_semaphore {
  sem_t count;
};

sv_semaphore *sv_semaphore_new(void) {
  sv_semaphore *semaphore = malloc(sizeof *semaphore);
  if (semaphore) {
    sem_init(&semaphore->count, 0, 0);
  }
  return semaphore;
}

void sv_semaphore_free(sv_semaphore *semaphore) {
  if (semaphore) {
    sem_destroy(&semaphore->count);
    free(semaphore);
  }
}

void sv_semaphore_post(sv_semaphore *semaphore) {
  sem_post(&semaphore->count);
}

static struct timespec wall_time_in(double seconds) {
  double due = sv_time() + (seconds > 0 ? seconds : 0);
  struct timespec time = {.tv_sec = (time_t)due};
  time.tv_nsec = (long)((due - (double)time.tv_sec) * 1e9);
  return time;
}

bool sv_semaphore_wait(sv_semaphore *semaphore, double seconds) {
  const bool forever = seconds == (double)INFINITY;
  const struct timespec until = wall_time_in(forever ? 0 : seconds);
  int problem;
  do {
    int returned = forever ? sem_wait(&semaphore->count)
                           : sem_timedwait(&semaphore->count, &until);
    problem = returned == 0 ? 0 : errno;
  } while (problem == EINTR);
  return problem == 0;
}

#endif

/* --- the locale ----------------------------------------------------------- */

bool sv_locale_has_point(void) {
  return strcmp(localeconv()->decimal_point, ".") == 0;
}

bool sv_locale_enter(sv_locale *locale) {
  locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (!own) {
    return false;
  }
  *locale = (sv_locale){(void *)uselocale(own), (void *)own};
  return true;
}

void sv_locale_leave(sv_locale *locale) {
  uselocale((locale_t)locale->before);
  freelocale((locale_t)locale->own);
}
