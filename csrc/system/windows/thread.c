#include "system/thread.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <process.h>
#include <stdlib.h>
#include <string.h>

#include "system/clock.h"
#include "system/windows/win32.h"

#include "rules/visibility.h"

typedef struct start {
  void (*body)(void *);
  void *self;
} start;

static unsigned __stdcall run(void *argument) {
  start s = *(start *)argument;
  free(argument);
  s.body(s.self);
  return 0;
}

/* Made by the C library, which has memory of its own for each thread. */
int sv_thread_start(sv_thread *thread, size_t stack_bytes,
                    void (*body)(void *self), void *self) {
  start *s = malloc(sizeof *s);
  if (!s) {
    return ENOMEM;
  }
  *s = (start){body, self};
  thread->handle = (void *)_beginthreadex(NULL, (unsigned)stack_bytes, run, s,
                                          STACK_SIZE_PARAM_IS_A_RESERVATION,
                                          NULL);
  if (thread->handle) {
    return 0;
  }
  int problem = errno;
  free(s);
  return problem ? problem : EAGAIN;
}

void sv_thread_join(sv_thread thread) {
  WaitForSingleObject(thread.handle, INFINITE);
  CloseHandle(thread.handle);
}

void sv_thread_detach(sv_thread thread) {
  CloseHandle(thread.handle);
}

void sv_thread_once(_Atomic bool *done, void (*function)(void)) {
  static SRWLOCK lock = SRWLOCK_INIT;
  if (*done) {
    return;
  }
  AcquireSRWLockExclusive(&lock);
  if (!*done) {
    function();
    *done = true;
  }
  ReleaseSRWLockExclusive(&lock);
}

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

bool sv_locale_has_point(void) {
  return strcmp(localeconv()->decimal_point, ".") == 0;
}

/* The system's C library has no locale of a thread: for as long as a text is read
** the whole process writes its numbers with a point. */
bool sv_locale_enter(sv_locale *locale) {
  *locale = (sv_locale){_strdup(setlocale(LC_NUMERIC, NULL)), NULL};
  if (locale->before) {
    setlocale(LC_NUMERIC, "C");
  }
  return locale->before != NULL;
}

void sv_locale_leave(sv_locale *locale) {
  setlocale(LC_NUMERIC, locale->before);
  free(locale->before);
}
