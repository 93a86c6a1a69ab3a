#include "system/clock.h"

#include <time.h>

#include "rules/visibility.h"

static double read_clock(clockid_t clock) {
  struct timespec now = {0, 0};
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double sv_now(void) {
  return read_clock(CLOCK_MONOTONIC);
}

/* Where the system has no clock of that name, CLOCK_MONOTONIC counts the time
** asleep (macOS), or there is nothing better. */
double sv_boottime(void) {
#ifdef CLOCK_BOOTTIME
  return read_clock(CLOCK_BOOTTIME);
#else
  return sv_now();
#endif
}

double sv_time(void) {
  return read_clock(CLOCK_REALTIME);
}

void sv_sleep(double seconds) {
  if (seconds > 0) {
    struct timespec span = {.tv_sec = (time_t)seconds};
    span.tv_nsec = (long)((seconds - (double)span.tv_sec) * 1e9);
    nanosleep(&span, NULL);
  }
}
