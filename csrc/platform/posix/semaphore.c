#include "platform/semaphore.h"

#include <errno.h>
#include <math.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "platform/clock.h"

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
