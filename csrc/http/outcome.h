/*
** The outcome of an exchange: how it ended, how far it came, and a sentence
** that says so. Plain data. Times are in seconds, sizes in bytes.
**
** This is the lowest file of http/, in which each includes only files that
** stand before it in this list:
**
**   outcome request | answer libcurl sink | transfer |
**   connection sent_check | engine | network
*/
#ifndef SV_HTTP_OUTCOME_H
#define SV_HTTP_OUTCOME_H

#include <stdbool.h>

#include "system/digest.h"

/* Why there is no answer. */
#define SV_REASONS(X)                                               \
  X(NONE, "none")             /* there is one */                    \
  X(INVALID, "invalid")       /* the request itself is malformed */ \
  X(INSECURE, "insecure")     /* http where https is needed */      \
  X(PRIVATE, "private")       /* not an address of the Internet */ \
  X(RESOLVE, "resolve")       /* name look-up */                    \
  X(CONNECT, "connect")                                             \
  X(TLS, "tls")               /* handshake or certificate */        \
  X(TIMEOUT, "timeout")                                             \
  X(STALLED, "stalled")       /* too slow for too long */           \
  X(RESET, "reset")           /* dropped, truncated or empty */     \
  X(PROTOCOL, "protocol")     /* not what HTTP allows */            \
  X(TOO_LARGE, "too_large")   /* over max_body or sink_max, or 64 KiB of head */ \
  X(IO, "io")                 /* the local file */                  \
  X(BUSY, "busy")             /* another writes that file */        \
  X(CHANGED, "changed")       /* the server has another file now */ \
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

/* How a transfer ended. `sent` is false only where not one byte of the request
** can have left: libcurl was not about to send it yet, or counts no bytes. (Of
** a body over TLS it counts none before all are through; such a request counts
** as sent.) After a fork `sent` and the phase say what the parent may have
** done. */
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

const char *sv_reason_name(sv_reason reason);
const char *sv_phase_name(sv_phase phase);

/* Puts a reason and its sentence, as of printf; what is too long is cut. A
** question mark stands for each control character, which a server or a caller
** may have put into what the sentence quotes. */
void sv_outcome_say(sv_outcome *outcome, sv_reason reason, const char *format,
                    ...) __attribute__((format(printf, 3, 4)));

#endif
