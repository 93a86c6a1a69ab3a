/*
** The thread for the disk, which may take its time: jobs are done one after
** another, in the order in which they come, from whatever thread. None is done
** between sv_forks_hold and sv_forks_let, so that no fork waits for one. Not
** for others than a driver and its threads.
*/
#ifndef SV_WORKER_H
#define SV_WORKER_H

#include "driver.h"

typedef struct sv_worker sv_worker;

/* Does what a ticket asks for, on the worker's thread; `stop` (atomic) is set
** from when the worker is to end. */
typedef void sv_work(sv_ticket *ticket, void *self, const int *stop);

/* NULL where memory or threads are short; errno says which. */
sv_worker *sv_worker_new(sv_work *work, void *self);

/* Hands over a ticket, without a lock. */
void sv_worker_post(sv_worker *worker, sv_ticket *ticket);

/* Waits until all that was handed over is done. */
void sv_worker_close(sv_worker *worker);

#endif
