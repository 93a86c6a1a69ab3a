/*
** HTTP transfers over libcurl: many at a time, one multi handle, no Lua.
**
** An engine is driven by its caller: sv_engine_step is the only function that
** waits or does network work, on the thread that calls it. Nothing here is
** locked; one engine belongs to one thread at a time.
**
** A transfer has two owners: the engine while it is under way, and the caller
** of sv_engine_submit until sv_transfer_release. Releasing it early does not
** end its request. What a request points to is copied.
**
** Times are in seconds, sizes in bytes. After a fork the child's first call
** abandons the parent's handles without touching them, and ends what was under
** way, as cancelled; what is submitted then uses new ones. It does the same
** where the host has closed a descriptor of a connection in use: what is under
** way fails as reset, with what is known of what was sent.
*/
#ifndef SV_HTTP_ENGINE_H
#define SV_HTTP_ENGINE_H

#include "http/transfer.h"

typedef struct sv_engine sv_engine;

/* NULL where memory is short. `ca_file` may be NULL: SSL_CERT_FILE, else the
** system's bundle. `max_in_flight`: how many run at once, orders not counted.
** Starts nothing. */
sv_engine *sv_engine_new(const char *ca_file, int max_in_flight);

/* Aborts what is under way; then the caller releases its share. */
void sv_engine_close(sv_engine *engine);
void sv_engine_release(sv_engine *engine);

/* The transfer, or NULL with `failure` filled in; then nothing was begun. */
sv_transfer *sv_engine_submit(sv_engine *engine, const sv_request *request,
                              sv_outcome *failure);

/* Drives once, waiting at most `seconds` for something to happen; returns
** early at a signal. True where a transfer ended. With nothing under way it
** sleeps. */
bool sv_engine_step(sv_engine *engine, double seconds);

/* Has sv_engine_take tell of a transfer's end; gives its number. */
long long sv_engine_announce(sv_engine *engine, sv_transfer *transfer);

/* The number of a transfer that was announced and has ended, each once, the
** first to end first; 0: none. */
long long sv_engine_take(sv_engine *engine);

/* Queued and running transfers. */
int sv_engine_in_flight(const sv_engine *engine);

bool sv_transfer_done(const sv_transfer *transfer);
void sv_transfer_cancel(sv_transfer *transfer);
void sv_transfer_release(sv_transfer *transfer);

/* --- for who drives an engine ------------------------------------------- */

typedef void sv_listener(sv_transfer *transfer, void *self);

/* The listener is called with each transfer that has ended, on the engine's
** thread, and has to settle it. */
void sv_engine_listen(sv_engine *engine, sv_listener *listener, void *self);

/* Gives a new transfer to an engine, which takes a share of its own. */
void sv_engine_enqueue(sv_engine *engine, sv_transfer *transfer);

/* What sv_transfer_check keeps of one request for the next. */
sv_known_origin *sv_engine_known(sv_engine *engine);

/* Takes a transfer that has ended off its engine, so that it may be released
** on any thread. */
void sv_transfer_detach(sv_transfer *transfer);

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
