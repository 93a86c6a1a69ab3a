/*
** Requests and jobs for the disk, done by two threads: neither libcurl nor the
** disk ever holds up the caller's thread, and no request waits for the disk.
** The caller submits, and takes the numbers of the tickets that have ended out
** of the network's outbox.
**
** A network that is inline has no thread, nor a wake-up: the caller drives it by
** sv_network_step.
**
** All functions are for one thread, the owner's. A ticket has two owners: the
** outbox until the ticket is taken out, and the caller until sv_item_release.
** Releasing it early does not end its request. A thread starts with the first
** ticket that needs it.
**
** After a fork all that was under way has ended in the child, as cancelled, and
** the child's next ticket starts a thread of its own; the parent is not
** affected. Times are in seconds, sizes in bytes.
*/
#ifndef SV_HTTP_NETWORK_H
#define SV_HTTP_NETWORK_H

#include "http/engine.h"
#include "system/disk_job.h"
#include "thread/service.h"

typedef struct sv_network sv_network;

/* One request or one disk job. The network's thread owns what it points to,
** then the disk's thread where the ticket is handed on to it; once the ticket
** is done the caller does. */
typedef struct sv_ticket {
  sv_item item;
  sv_disk_job *job; /* or NULL, and */
  sv_transfer transfer;

  /* For the functions below. */
  _Atomic long status; /* of the final answer, whose head stays */
  _Atomic long long received, total, sent;
  sv_service *disk;  /* finishes its file */
  bool is_cancelled; /* the owner's alone */
} sv_ticket;

/* Arguments as of sv_engine_new. NULL where memory or descriptors are short;
** errno says which. */
sv_network *sv_network_new(const char *ca_file, int max_in_flight,
                           bool is_inline);

/* Aborts the requests, finishes the disk jobs that are queued, except digests,
** and joins the threads. The network is not the caller's any more. */
void sv_network_close(sv_network *network);

/* Its tickets, by their items: what is asked and told of these as such. */
sv_outbox *sv_network_outbox(sv_network *network);

/* A ticket, or NULL with `failure` filled in where memory or threads are
** short. Where the request may not be sent, the ticket ends with that outcome:
** it is the network's thread that checks it. */
sv_ticket *sv_network_submit(sv_network *network, const sv_request *request,
                             sv_outcome *failure);

/* Takes over the job. NULL where memory or threads are short; errno says
** which, and the job is freed without having run. Jobs run in the order in
** which they are submitted, independently of the requests. */
sv_ticket *sv_network_disk(sv_network *network, sv_disk_job *job);

/* Drives an inline network as sv_engine_step does. True where a ticket ended. */
bool sv_network_step(sv_network *network, double seconds);

/* Lets time pass until it is done; whether it is. A signal may end the wait of
** an inline network early. Nobody else is told by the wake-up meanwhile: it may
** be the host's, which has to find it notified. */
bool sv_ticket_wait(sv_ticket *ticket, double seconds);

/* Cancels a request; a disk job runs to its end. */
void sv_ticket_cancel(sv_ticket *ticket);

/* The status once the head of the final answer is known, else 0. From then on
** that head of the transfer may be read, and all of it once it is done. */
long sv_ticket_status(sv_ticket *ticket);

/* How far a request has come, as its thread last published it. */
sv_progress sv_ticket_progress(sv_ticket *ticket);

/* Of a request that is done: how it ended. */
const sv_outcome *sv_ticket_outcome(const sv_ticket *ticket);

#endif
