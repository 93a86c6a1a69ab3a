/*
** An engine driven by a thread of its own, beside one for the disk: neither
** libcurl nor jobs on the disk ever run on the caller's thread, and no request
** waits for the disk. Requests and jobs go in, what has ended comes out by its
** number.
**
** A driver belongs to one thread, its owner's; only what stands in its
** lists is shared. A ticket has two owners, the driver until it has been taken
** out, and the caller until sv_ticket_release: one given up early never ends
** its request. Nothing starts before the first ticket that needs it.
**
** After a fork the child's first call finds what was under way done, as
** cancelled, and starts a thread of its own with the next ticket; the parent
** goes on as if nothing had happened.
*/
#ifndef SV_CURL_DRIVER_H
#define SV_CURL_DRIVER_H

#include "curl/ticket.h"
#include "platform/notifier.h"

typedef struct sv_driver sv_driver;

/* NULL where memory or descriptors are short; errno says which. As of
** sv_engine_new. */
sv_driver *sv_driver_new(const char *ca_file, int max_in_flight);

/* Aborts the requests, does the jobs on the disk that are queued, digests
** excepted, and joins the threads. */
void sv_driver_close(sv_driver *driver);
void sv_driver_release(sv_driver *driver); /* after close */

/* A ticket, or NULL with `failure` filled in where memory or threads are short.
** The thread looks whether the request may be sent: of one that may not the
** ticket ends with that. */
sv_ticket *sv_driver_submit(sv_driver *driver, const sv_request *request,
                            sv_outcome *failure);

/* The job is the driver's from now on. NULL where memory or threads are short,
** which errno tells apart; then it was not run, and is freed. Jobs are done in
** the order in which they come; a request that relies on one waits for its
** end. */
sv_ticket *sv_driver_disk(sv_driver *driver, sv_disk_job *job);

/* Whether sv_driver_take has something: one atomic load. */
bool sv_driver_ready(sv_driver *driver);

/* The number of a ticket that has ended, each once; 0: none. */
long long sv_driver_take(sv_driver *driver);

/* Tickets that have not been taken out. */
int sv_driver_in_flight(const sv_driver *driver);

/* Notified of each ticket that ends; the driver's, but others may share it. To
** be asked for each time: after a fork it is reopened first. */
sv_notifier *sv_driver_notifier(sv_driver *driver);

/* Of a request alone: a disk job goes on to its end. */
void sv_ticket_cancel(sv_ticket *ticket);
bool sv_ticket_done(sv_ticket *ticket);
void sv_ticket_release(sv_ticket *ticket);

/* The status once the head of the final answer is known, else 0. From then on
** that head of the transfer may be read, and all of it once it is done. */
long sv_ticket_status(sv_ticket *ticket);

#endif
