#include "system/semaphore.h"

#ifdef __APPLE__

#include <dispatch/dispatch.h>

#include "rules/visibility.h"

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

#include <errno.h>
#include <math.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "system/clock.h"


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
