/*
** Counting semaphores: a thread waits until another one has posted, as often
** as it has posted. Any thread may post and wait.
*/
#ifndef SV_SYSTEM_SEMAPHORE_H
#define SV_SYSTEM_SEMAPHORE_H

#include <stdbool.h>

typedef struct sv_semaphore sv_semaphore;

/* At 0. NULL where memory is short. */
sv_semaphore *sv_semaphore_new(void);

/* Nobody waits on it. Takes NULL. */
void sv_semaphore_free(sv_semaphore *semaphore);

void sv_semaphore_post(sv_semaphore *semaphore);

/* Waits for a post through all signals, for so many seconds, INFINITY: as long
** as it takes. Whether there was one. */
bool sv_semaphore_wait(sv_semaphore *semaphore, double seconds);

#endif
