#include "system/semaphore.h"

#include <limits.h>

#include "system/clock.h"
#include "system/windows/win32.h"

#include "rules/visibility.h"

/* The longest single wait: the system counts milliseconds in 32 bits. */
static const double LONGEST_SECONDS = 3600;

/* The system's handle, under a name of its own. */
static HANDLE handle_of(sv_semaphore *semaphore) {
  return (HANDLE)semaphore;
}

sv_semaphore *sv_semaphore_new(void) {
  return (sv_semaphore *)CreateSemaphoreW(NULL, 0, INT_MAX, NULL);
}

void sv_semaphore_free(sv_semaphore *semaphore) {
  if (semaphore) {
    CloseHandle(handle_of(semaphore));
  }
}

void sv_semaphore_post(sv_semaphore *semaphore) {
  ReleaseSemaphore(handle_of(semaphore), 1, NULL);
}

static DWORD milliseconds(double seconds) {
  return seconds > LONGEST_SECONDS ? (DWORD)(LONGEST_SECONDS * 1000)
         : seconds > 0             ? (DWORD)(seconds * 1000) + 1
                                   : 0;
}

bool sv_semaphore_wait(sv_semaphore *semaphore, double seconds) {
  double until = sv_now() + seconds;
  double left = seconds;
  do {
    DWORD ended = WaitForSingleObject(handle_of(semaphore), milliseconds(left));
    if (ended != WAIT_TIMEOUT) {
      return ended == WAIT_OBJECT_0;
    }
    left = until - sv_now();
  } while (left > 0);
  return false;
}
