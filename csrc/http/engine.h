/*
** HTTP transfers over libcurl: many at a time, one multi handle, no Lua.
**
** An engine is driven by its caller: sv_engine_step, or its halves, do all
** network work, on the thread that calls. Nothing here is locked; one engine
** belongs to one thread at a time. Its transfers are its caller's; while one is
** under way it stays where it is.
**
** Times are in seconds, sizes in bytes. Where the host has closed a descriptor
** of a connection in use, what is under way fails as reset, with what is known
** of what was sent.
*/
#ifndef SV_HTTP_ENGINE_H
#define SV_HTTP_ENGINE_H

#include "http/transfer.h"

typedef struct sv_engine sv_engine;

/* Called with each transfer that has ended, on the engine's thread: it has to
** settle it. */
typedef void sv_listener(sv_transfer *transfer, void *self);

/* NULL where memory is short. `ca_file` may be NULL: SSL_CERT_FILE, else the
** system's bundle. `max_in_flight`: how many run at once, orders not counted.
** Starts nothing. */
sv_engine *sv_engine_new(const char *ca_file, int max_in_flight,
                         sv_listener *listener, void *self);

/* Aborts what is under way. */
void sv_engine_close(sv_engine *engine);
void sv_engine_free(sv_engine *engine); /* after close */

/* Begins a transfer that was checked, or puts it into the queue. */
void sv_engine_enqueue(sv_engine *engine, sv_transfer *transfer);

/* Where it is queued or running: ends it. */
void sv_transfer_cancel(sv_transfer *transfer);

/* Drives once, waiting at most `seconds` for something to happen; returns
** early at a signal. True where a transfer ended. With nothing under way it
** sleeps. */
bool sv_engine_step(sv_engine *engine, double seconds);

/* Queued and running transfers. */
int sv_engine_in_flight(const sv_engine *engine);

/* Makes ready what sv_engine_wake needs; false where memory is short, or
** descriptors are. */
bool sv_engine_begin(sv_engine *engine);

/* The halves of a step. sv_engine_perform does what can be done without
** waiting and lowers `next` (of sv_now) to when a transfer will time out; true
** where one ended. sv_engine_poll waits for something to happen, for a second at
** most. SIGPIPE and SIGXFSZ must be blocked meanwhile. */
bool sv_engine_perform(sv_engine *engine, double *next);
void sv_engine_poll(sv_engine *engine, double until);

/* Ends the wait, or the next one. May be called on any thread, once
** sv_engine_begin was true. */
void sv_engine_wake(sv_engine *engine);

/* The running transfers, linked by `next`. */
sv_transfer *sv_engine_running(const sv_engine *engine);

#endif
