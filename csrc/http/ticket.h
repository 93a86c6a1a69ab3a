/*
** A ticket: one request or one disk job that a network was given.
**
** The network's thread owns what a ticket points to, then the disk's thread
** where the ticket is handed on to it; once the ticket is done its network
** does. The struct is for networks and their threads; others use the functions
** here and in network.h.
*/
#ifndef SV_HTTP_TICKET_H
#define SV_HTTP_TICKET_H

#include "system/disk_job.h"
#include "http/engine.h"
#include "thread/outbox.h"

typedef struct sv_ticket sv_ticket;

struct sv_ticket {
  sv_item item;
  _Atomic long status; /* of the final answer, whose head stays */
  _Atomic long long received, total, sent;
  sv_transfer *transfer; /* one of both */
  sv_disk_job *job;
  bool is_cancelled; /* the owner's alone */
};

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
