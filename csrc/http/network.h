/*
** An engine driven by a thread of its own, and a second thread for the disk:
** neither libcurl nor disk jobs ever run on the caller's thread, and no
** request waits for the disk. The caller submits requests and jobs, and takes
** out the numbers of those that have ended.
**
** All functions are for one thread, the owner's; the threads share only the
** lists of worker.h with it. A ticket has two owners: the network until the
** ticket is taken out, and the caller until sv_item_release. Releasing it
** early does not end its request. A thread starts with the first ticket that
** needs it.
**
** After a fork the child's first call ends all that was under way, as
** cancelled, and the child's next ticket starts a thread of its own; the
** parent is not affected. Times are in seconds, sizes in bytes.
*/
#ifndef SV_HTTP_NETWORK_H
#define SV_HTTP_NETWORK_H

#include "http/ticket.h"

typedef struct sv_network sv_network;

/* Arguments as of sv_engine_new. NULL where memory or descriptors are short;
** errno says which. */
sv_network *sv_network_new(const char *ca_file, int max_in_flight);

/* Aborts the requests, finishes the disk jobs that are queued, except digests,
** and joins the threads. */
void sv_network_close(sv_network *network);
void sv_network_release(sv_network *network); /* after close */

/* A ticket, or NULL with `failure` filled in where memory or threads are
** short. The network's thread checks the request: where it may not be sent,
** the ticket ends with that outcome. */
sv_ticket *sv_network_submit(sv_network *network, const sv_request *request,
                            sv_outcome *failure);

/* Takes over the job. NULL where memory or threads are short; errno says
** which, and the job is freed without having run. Jobs run in the order in
** which they are submitted, independently of the requests. */
sv_ticket *sv_network_disk(sv_network *network, sv_disk_job *job);

/* Its tickets, by their items: what is asked and told of these as such. */
sv_outbox *sv_network_outbox(sv_network *network);

/* Cancels a request; a disk job runs to its end. */
void sv_ticket_cancel(sv_ticket *ticket);

/* The status once the head of the final answer is known, else 0. From then on
** that head of the transfer may be read, and all of it once it is done. */
long sv_ticket_status(sv_ticket *ticket);

#endif
