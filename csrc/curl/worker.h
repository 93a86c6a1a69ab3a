/*
** What a driver and its threads share, one for the network and one for the
** disk: lists, and the tickets in them. Not for others.
**
** A thread owns what a ticket points to until the ticket is done, or handed on
** to the disk; then its driver does. Fields that several touch meanwhile are
** named `atomic`.
*/
#ifndef SV_CURL_WORKER_H
#define SV_CURL_WORKER_H

#include "platform/notifier.h"
#include "platform/semaphore.h"
#include "platform/thread.h"
#include "curl/driver.h"
#include "curl/transfer.h"
#include "curl/disk_thread.h"

struct sv_ticket {
  int owners;          /* atomic */
  int done;            /* atomic */
  long status;         /* atomic; of the final answer: its head stays */
  long long received, total, sent; /* atomic */
  sv_transfer *transfer; /* one of both */
  sv_disk_job *errand;
  sv_ticket *next;        /* in a queue */
  sv_ticket *next_cancel; /* in the queue of those to be cancelled */

  /* The driver's alone. */
  sv_driver *driver;
  long long number;
  sv_ticket *before, *after; /* of those not taken out */
  bool cancelled;
  bool lost; /* in a fork; then nothing it points to is touched any more, and
                a thread that an exit overtook may still be at it */
};

typedef struct sv_queue {
  sv_ticket *first, *last;
} sv_queue;

/* No lock lies between the two: whoever held it could lose its processor, and
** the host would wait for it in the midst of a frame. The lists have the last
** first. */
typedef struct sv_worker {
  sv_ticket *inbox;   /* atomic */
  sv_ticket *cancels; /* atomic; linked by `next_cancel` */
  sv_ticket *ended;   /* atomic */
  int stop;           /* atomic */
  int asleep;         /* atomic: must be woken; who does takes it away */
  sv_semaphore *stopped; /* posted once the network thread was told to stop */
  sv_engine *engine;    /* the network's */
  sv_notifier *notifier;
  sv_disk_thread *disk; /* NULL until the first that needs it */
  sv_thread network;
  bool has_network; /* the driver's alone; begun with the first request */
} sv_worker;

void sv_queue_put(sv_queue *queue, sv_ticket *ticket);
sv_ticket *sv_queue_take(sv_queue *queue);

/* Puts a ticket into a shared list; `link` is its place for what comes next. */
void sv_list_push(sv_ticket **list, sv_ticket **link, sv_ticket *ticket);

/* All of a shared list linked by `next`, in the order in which it came. */
sv_ticket *sv_list_take(sv_ticket **list);

/* Gives up one share of a ticket. */
void sv_ticket_drop(sv_ticket *ticket);

/* What the threads do, with `shared` as the last argument: all for the network,
** one ticket after another for the disk. */
void sv_worker_run(void *shared);
void sv_worker_work(sv_ticket *ticket, void *shared, const int *stop);

#endif
