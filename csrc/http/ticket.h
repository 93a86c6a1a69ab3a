/*
** A ticket: one request or one disk job that a network was given.
**
** The network's thread owns what a ticket points to, then the disk's thread
** where the ticket is handed on to it; once the ticket is done its network
** does. Members marked `atomic` are used by several threads at a time. The
** struct is for networks and their threads; others use the functions here and
** in network.h.
*/
#ifndef SV_HTTP_TICKET_H
#define SV_HTTP_TICKET_H

#include "thread/outbox.h"
#include "http/disk_job.h"
#include "http/engine.h"

typedef struct sv_ticket sv_ticket;

struct sv_ticket {
  sv_item item;
  sv_link cancel;      /* in the list of those to be cancelled */
  int owners;          /* atomic */
  int done;            /* atomic */
  long status;         /* atomic; of the final answer, whose head stays */
  long long received, total, sent; /* atomic */
  sv_transfer *transfer; /* one of both */
  sv_disk_job *job;

  /* The network's alone. */
  struct sv_network *network;
  bool cancelled;
  bool lost; /* in a fork: what it points to is not touched any more, for a
                thread that an exit interrupted may still use it */
};

/* Of a link in a list of cancelled tickets. */
sv_ticket *sv_ticket_of_cancel(sv_link *link);

/* Gives up one share of a ticket. */
void sv_ticket_drop(sv_ticket *ticket);

/* The number by which the network takes it out. */
long long sv_ticket_number(const sv_ticket *ticket);

/* How far a request has come, as its thread last published it. */
sv_progress sv_ticket_progress(const sv_ticket *ticket);

/* NULL for a disk job. */
const sv_transfer *sv_ticket_transfer(const sv_ticket *ticket);
bool sv_ticket_is_disk_job(const sv_ticket *ticket);

/* Once done: how it ended, of a request; the job, of a disk job, or NULL where
** it was lost in a fork. */
const sv_outcome *sv_ticket_outcome(const sv_ticket *ticket);
sv_disk_job *sv_ticket_disk_job(const sv_ticket *ticket);

#endif
