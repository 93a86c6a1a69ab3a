/*
** What the network's thread does, and what it shares with its owner and the
** disk's thread: lists of tickets. Only for those three.
*/
#ifndef SV_HTTP_WORKER_H
#define SV_HTTP_WORKER_H

#include "http/ticket.h"
#include "system/thread.h"
#include "thread/service.h"

/* How the network's thread sleeps: while nothing is on the wire it needs no
** descriptor, which the host could close. */
typedef enum sv_sleeping { SV_AWAKE, SV_IDLE, SV_POLLING } sv_sleeping;

typedef struct sv_worker {
  sv_list inbox;   /* tickets, by their items */
  sv_list cancels; /* the same, by `cancel` */
  int stop;           /* atomic */
  int asleep; /* atomic: an sv_sleeping; who clears it must wake the thread */
  sv_semaphore *woken; /* posted where nothing is on the wire */
  sv_engine *engine;    /* the network's */
  sv_outbox *outbox;
  sv_service *disk; /* NULL until the first that needs it */
  sv_thread network;
  bool has_network; /* the network's alone; the first request starts it */
} sv_worker;

/* Runs the network's thread until it is told to stop; the argument is the
** worker. */
void sv_worker_run(void *worker);

/* What the disk's thread does: runs jobs, and finishes files that have come. */
extern const sv_duty sv_disk_duty;

#endif
