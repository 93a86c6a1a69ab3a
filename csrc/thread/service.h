/*
** One thread with an inbox. What it does with an item is its duty's business;
** the thread, its sleep, fork, exit and end are this file's.
**
** A service belongs to the owner of its outbox. Where its thread is stuck in an
** item, it is neither joined nor replaced. After a fork the child forgets it.
** Times are in seconds.
*/
#ifndef SV_THREAD_SERVICE_H
#define SV_THREAD_SERVICE_H

#include <stddef.h>

#include "thread/outbox.h"

typedef struct sv_service sv_service;

/* What a service does, on its thread where nothing else is said; what is NULL
** is not done. `self` is what sv_service_start was given. */
typedef struct sv_duty {
  size_t stack_bytes;

  /* Whether forks and exits wait while it is at one of the functions below. In
  ** either case it begins nothing once an exit has begun. */
  bool holds;

  /* Whether the item has ended; else that is told later, by sv_outbox_end.
  ** `stop` is set from when the thread is to end. */
  bool (*take)(void *self, sv_item *item, const _Atomic int *stop);

  /* Of an item that was taken, and may have ended. */
  void (*cancel)(void *self, sv_item *item);

  /* All was taken: seconds until this is to be called again, with the next item
  ** at the latest; less than 0: not before that. */
  double (*rest)(void *self);

  /* How it sleeps where `rest` gave more than 0, and, on any thread, how that
  ** sleep, or the next one, is ended; NULL: as it does otherwise. */
  void (*wait)(void *self, double seconds);
  void (*wake)(void *self);

  void (*end)(void *self);
} sv_duty;

/* `self` stays until the thread was joined, or as long as the outbox, in which
** its items are. 0 or an errno. */
int sv_service_start(sv_service **service, const sv_duty *duty, void *self,
                     sv_outbox *outbox);

/* On any thread, that of another service of the same outbox too: hands over an
** item, without a lock. */
void sv_service_post(sv_service *service, sv_item *item);

/* Has an item cancelled that was posted before. */
void sv_service_cancel(sv_service *service, sv_item *item);

/* Ends the thread once all that was posted is done. Waits for that, no longer
** than so many seconds since it began what it is at; if it is not done by
** then, it is left running, and frees what is its own in the end. */
void sv_service_stop(sv_service *service, double seconds);

/* --- what it is at --------------------------------------------------------- */

/* On a service's thread, elsewhere nothing: it goes on, and what comes next may
** take so many seconds without being taken for stuck. */
void sv_service_heartbeat(double seconds);

/* On any thread: tells what it is at from what it is at next, and from the same
** before a heartbeat: microseconds of sv_now; 0: nothing. */
long long sv_service_begun(const sv_service *service);

/* Since that, or since the time that its last heartbeat asked for was over. */
double sv_service_busy(const sv_service *service);

/* For another thread that looks at it: a share, to be dropped there. */
void sv_service_share(sv_service *service);
void sv_service_drop(sv_service *service);

#endif
