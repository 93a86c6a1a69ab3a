/*
** A thread of the library's own, in somebody else's process: no target of
** signals, with a small stack, on POSIX in the locale "C" whatever the host's is,
** and never in the way of the host's threads.
** After a fork the child has none of them: it neither joins nor detaches one.
*/
#ifndef SV_SYSTEM_THREAD_H
#define SV_SYSTEM_THREAD_H

#include <stdbool.h>
#include <stddef.h>

/* As the system names it. */
typedef struct sv_thread {
  void *handle;
} sv_thread;

/* 0 or an errno. `self` is the body's from then on. What the thread starts is
** no target of signals, either. To be joined or detached, once. */
int sv_thread_start(sv_thread *thread, size_t stack_bytes,
                    void (*body)(void *self), void *self);

/* Waits until the body has returned. */
void sv_thread_join(sv_thread thread);
void sv_thread_detach(sv_thread thread);

/* Calls a function unless that was done before; on whatever thread, and others
** that come meanwhile wait until it has returned. `done` is static, and false
** at first. The function must not call this one. */
void sv_thread_once(_Atomic bool *done, void (*function)(void));

/* A counting semaphore: a thread waits until another one has posted, as often
** as it has posted. Any thread may post and wait. */
typedef struct sv_semaphore sv_semaphore;

/* At 0. NULL where memory is short. */
sv_semaphore *sv_semaphore_new(void);

/* Nobody waits on it. Takes NULL. */
void sv_semaphore_free(sv_semaphore *semaphore);

void sv_semaphore_post(sv_semaphore *semaphore);

/* Waits for a post through all signals, for so many seconds, INFINITY: as long
** as it takes. Whether there was one. */
bool sv_semaphore_wait(sv_semaphore *semaphore, double seconds);

/* The locale "C" for one thread, whatever the host has set for its process, and
** may change at any time. Libraries write and read numbers by the locale. On
** Windows it is the process's, and only for numbers: enter it for a moment. */
typedef struct sv_locale {
  void *before; /* as the system names it */
  void *own;
} sv_locale;

/* Whether the decimal point of the calling thread is a point. */
bool sv_locale_has_point(void);

/* Enters the locale "C" on the calling thread; false where that cannot be done,
** and then there is nothing to leave. */
bool sv_locale_enter(sv_locale *locale);
void sv_locale_leave(sv_locale *locale);

#endif
