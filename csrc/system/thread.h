/*
** A thread of the library's own, in somebody else's process: no target of
** signals, with a small stack, on POSIX in the locale "C" whatever the host's is,
** and never in the way of the host's threads.
** After a fork the child has none of them: it neither joins nor detaches one.
*/
#ifndef SV_SYSTEM_THREAD_H
#define SV_SYSTEM_THREAD_H

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
** that come meanwhile wait until it has returned. `done` is static, and 0 at
** first. The function must not call this one. */
void sv_thread_once(int *done, void (*function)(void));

#endif
