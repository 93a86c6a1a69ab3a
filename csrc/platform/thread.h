/*
** A thread of the library's own, in somebody else's process: no target of
** signals, with a small stack, and never in the way of the host's threads.
*/
#ifndef SV_PLATFORM_THREAD_H
#define SV_PLATFORM_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* 0 or an errno. What the thread starts inherits that it is no target. */
int sv_thread_start(pthread_t *thread, size_t stack_bytes,
                    void *(*body)(void *), void *self);

#endif
