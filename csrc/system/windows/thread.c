#include "system/thread.h"

#include <errno.h>
#include <process.h>
#include <stdlib.h>

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

void sv_thread_once(int *done, void (*function)(void)) {
  static SRWLOCK lock = SRWLOCK_INIT;
  if (__atomic_load_n(done, __ATOMIC_ACQUIRE)) {
    return;
  }
  AcquireSRWLockExclusive(&lock);
  if (!*done) {
    function();
    __atomic_store_n(done, 1, __ATOMIC_RELEASE);
  }
  ReleaseSRWLockExclusive(&lock);
}
