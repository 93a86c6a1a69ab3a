/*
** What stands for a request or a disk job from when a driver takes it until its
** caller has looked at its end.
**
** A thread owns what a ticket points to until the ticket is done, or handed on
** to the disk; then its driver does. Fields that several threads touch
** meanwhile are named `atomic`. For drivers and their threads; others see a
** ticket through driver.h.
*/
#ifndef SV_CURL_TICKET_H
#define SV_CURL_TICKET_H

#include "curl/disk_job.h"
#include "curl/engine.h"
#include "core/pending.h"

typedef struct sv_ticket sv_ticket;

struct sv_ticket {
  sv_item item;
  sv_link cancel;      /* in the list of those to be cancelled */
  int owners;          /* atomic */
  int done;            /* atomic */
  long status;         /* atomic; of the final answer: its head stays */
  long long received, total, sent; /* atomic */
  sv_transfer *transfer; /* one of both */
  sv_disk_job *job;

  /* The driver's alone. */
  struct sv_driver *driver;
  bool cancelled;
  bool lost; /* in a fork; then nothing it points to is touched any more, and
                a thread that an exit overtook may still be at it */
};

/* Of a link in a list of cancelled tickets. */
sv_ticket *sv_ticket_of_cancel(sv_link *link);

/* Gives up one share of a ticket. */
void sv_ticket_drop(sv_ticket *ticket);

/* The number by which the driver takes it out. */
long long sv_ticket_number(const sv_ticket *ticket);

/* How far a request has come, as its thread told last. */
sv_progress sv_ticket_progress(const sv_ticket *ticket);

/* NULL for a disk job. */
const sv_transfer *sv_ticket_transfer(const sv_ticket *ticket);
bool sv_ticket_is_disk_job(const sv_ticket *ticket);

/* Once done: how it ended, of a request; the job, of a disk job, or NULL where
** it was lost in a fork. */
const sv_outcome *sv_ticket_outcome(const sv_ticket *ticket);
sv_disk_job *sv_ticket_disk_job(const sv_ticket *ticket);

#endif
