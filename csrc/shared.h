/*
** What a driver and its thread share: two queues, and the tickets in them.
** Not for others.
**
** The thread owns what a ticket points to until the ticket is done; then its
** driver does. Fields that both touch meanwhile are named `atomic`, or stand
** under the lock.
*/
#ifndef SV_SHARED_H
#define SV_SHARED_H

#include <pthread.h>

#include "alarm.h"
#include "driver.h"
#include "transfer.h"

struct sv_ticket {
  int owners;          /* atomic */
  int done;            /* atomic */
  long status;         /* atomic; of the final answer: its head stays */
  long long received, total, sent; /* atomic */
  sv_transfer *transfer; /* one of both */
  sv_errand *errand;
  sv_ticket *next;        /* in a queue */
  sv_ticket *next_cancel; /* in the queue of those to be cancelled */

  /* The driver's alone. */
  sv_driver *driver;
  long long number;
  sv_ticket *before, *after; /* of those not taken out */
  bool cancelled;
  bool lost; /* in a fork; then what it points to is not touched any more */
};

typedef struct sv_queue {
  sv_ticket *first, *last;
} sv_queue;

/* How the thread waits. Who posts something wakes it, and it is awake then. */
typedef enum sv_rest { SV_AWAKE, SV_IDLE, SV_POLLING } sv_rest;

typedef struct sv_shared {
  pthread_mutex_t lock;
  pthread_cond_t posted; /* waited for while idle */
  sv_queue inbox;     /* under the lock */
  sv_ticket *cancels; /* under the lock */
  bool stop;          /* under the lock */
  sv_rest rest;       /* under the lock */
  sv_queue ended;     /* under the lock */
  int ready;          /* atomic: `ended` holds something */
  sv_engine *engine;  /* the thread's */
  sv_alarm *alarm;
  pthread_t thread;
} sv_shared;

void sv_queue_put(sv_queue *queue, sv_ticket *ticket);
sv_ticket *sv_queue_take(sv_queue *queue);

/* Gives up one share of a ticket. */
void sv_ticket_drop(sv_ticket *ticket);

/* What the thread does; `shared` as the argument. */
void *sv_shared_run(void *shared);

#endif
