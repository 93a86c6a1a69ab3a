/*
** HTTP transfers over libcurl: many at a time, one multi handle, no Lua.
**
** An engine is driven by its caller: sv_engine_step is the only function that
** waits or does network work, on the thread that calls it. Nothing here is
** locked; one engine belongs to one thread at a time.
**
** A transfer has two owners: the engine while it is under way, and the ticket
** that sv_engine_submit returns, until sv_transfer_release. A ticket given up
** early never ends its request. What a request points to is copied.
**
** Times are in seconds, sizes in bytes. After a fork the child's first call
** leaves the parent's handles alone and starts anew; what was under way is
** done in the child, as cancelled.
*/
#ifndef SV_CURL_ENGINE_H
#define SV_CURL_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/digest.h"

typedef struct sv_engine sv_engine;
typedef struct sv_transfer sv_transfer;

/* Why there is no answer. */
#define SV_REASONS(X)                                               \
  X(NONE, "none")             /* there is one */                    \
  X(INVALID, "invalid")       /* the request itself is malformed */ \
  X(INSECURE, "insecure")     /* http where https is needed */      \
  X(RESOLVE, "resolve")       /* name look-up */                    \
  X(CONNECT, "connect")                                             \
  X(TLS, "tls")               /* handshake or certificate */        \
  X(TIMEOUT, "timeout")                                             \
  X(STALLED, "stalled")       /* too slow for too long */           \
  X(RESET, "reset")           /* dropped, truncated or empty */     \
  X(PROTOCOL, "protocol")     /* not what HTTP allows */            \
  X(TOO_LARGE, "too_large")   /* over max_body, or 64 KiB of head */ \
  X(IO, "io")                 /* the local file */                  \
  X(BUSY, "busy")             /* another writes that file */        \
  X(CHANGED, "changed")       /* the file there is another by now */ \
  X(LATE, "late")             /* after `send_by` */                 \
  X(CANCELLED, "cancelled")

typedef enum sv_reason {
#define X(name, text) SV_REASON_##name,
  SV_REASONS(X)
#undef X
} sv_reason;

/* How far an exchange came. */
#define SV_PHASES(X)                                                \
  X(QUEUE, "queue")           /* never begun */                     \
  X(CONNECT, "connect")       /* name look-up, TCP, TLS */          \
  X(REQUEST, "request")       /* connected; not all handed over */  \
  X(ANSWER, "answer")         /* sent; no whole head came back */   \
  X(BODY, "body")             /* the final answer's head is read */

typedef enum sv_phase {
#define X(name, text) SV_PHASE_##name,
  SV_PHASES(X)
#undef X
} sv_phase;

typedef struct sv_header {
  const char *name;
  const char *value;
} sv_header;

typedef struct sv_request {
  const char *method; /* GET or POST */
  const char *url;
  const sv_header *headers;
  size_t header_count;
  const char *body; /* of a POST */
  size_t body_size;
  double connect_timeout; /* 0: libcurl's own */
  double timeout;         /* of the whole, the queue included; 0: none */
  double send_by;         /* of sv_boottime: from then on not sent; 0: any time */
  double stall_seconds;   /* 0: never stalls */
  long stall_bytes;       /* a second, below which it does */
  size_t max_body;        /* kept in memory */
  int redirects;          /* followed at most; never with Authorization */
  bool fresh;             /* sent at most once, on a connection of its own, by
                             HTTP/1.1, along no redirect; begun at once, however
                             many are in flight, and its time begins then */
  bool insecure_http;     /* allow http to a host that is not loopback */
  const char *sink_path;  /* body of a 200 or 206 to this file, or NULL; opened
                             before anything is sent */
  long long sink_offset;  /* where a 206 must begin */
  bool sink_sync;         /* fsync at the end */
  const char *sink_etag;     /* what is known of the file that a 206 must be */
  const char *sink_modified; /* the rest of: its headers of then, or NULL, */
  long long sink_total;      /* and its whole size; 0: unknown */
} sv_request;

/* How a transfer ended. `sent` is false only where not one byte of the request
** can have left: libcurl was not about to send it yet, or counts none, which
** it does of a body over TLS only when all of it is through. After a fork it
** and the phase say what the parent may have come to. */
typedef struct sv_outcome {
  sv_reason reason;
  sv_phase phase;
  char message[320]; /* a sentence; holds no header and no query */
  int system_error;  /* errno, or 0 */
  bool sent;
  bool reused; /* went over a connection used before */
  bool to_file;
  long status; /* 0 before an answer */
  long http_version; /* 10, 11, 20 */
  double elapsed;
  long long bytes_sent, received;
  long long file_offset, file_bytes;
  char sha256[SV_SHA256_HEX]; /* of the whole file, its first part too */
} sv_outcome;

typedef struct sv_progress {
  long long received, total, sent; /* total is -1 while unknown */
} sv_progress;

/* NULL where memory is short. `ca_file` may be NULL: SSL_CERT_FILE, else the
** system's bundle. `max_in_flight`: how many run at once, orders not counted.
** Starts nothing. */
sv_engine *sv_engine_new(const char *ca_file, int max_in_flight);

/* Aborts what is under way and gives up the caller's share. */
void sv_engine_close(sv_engine *engine);
void sv_engine_release(sv_engine *engine);

/* A ticket, or NULL with `failure` filled in; then nothing was begun. */
sv_transfer *sv_engine_submit(sv_engine *engine, const sv_request *request,
                              sv_outcome *failure);

/* Drives once, waiting at most `seconds` for something to happen; returns
** early at a signal. True where a transfer ended. With nothing under way it
** sleeps. */
bool sv_engine_step(sv_engine *engine, double seconds);

/* Queued and running transfers. */
int sv_engine_in_flight(const sv_engine *engine);

bool sv_transfer_done(const sv_transfer *transfer);
void sv_transfer_cancel(sv_transfer *transfer);
void sv_transfer_release(sv_transfer *transfer);
sv_progress sv_transfer_progress(const sv_transfer *transfer);

/* Valid once done. */
const sv_outcome *sv_transfer_outcome(const sv_transfer *transfer);

/* The status once the head of the final answer is known, else 0; the head's
** lines as received, and the body in memory. */
long sv_transfer_status(const sv_transfer *transfer);
const char *sv_transfer_head(const sv_transfer *transfer, size_t *size);
const char *sv_transfer_body(const sv_transfer *transfer, size_t *size);

const char *sv_reason_name(sv_reason reason);
const char *sv_phase_name(sv_phase phase);

#endif
