/*
** One exchange: its request, its answer as it arrives, and how it ended. On
** the engine's thread, until it has ended. Files of other folders read its
** `outcome` once it has, and `head` and `body` once its status is known.
**
**   made ......... init, check --------------------------------> SV_QUEUED
**   made ......... check refuses it: abandon ------------------> SV_ENDED
**   SV_QUEUED .... out of time, or cancelled: abandon ---------> SV_ENDED
**   SV_QUEUED .... its turn: start ----------------------------> SV_RUNNING
**   SV_QUEUED .... its turn, and start fails: abandon ---------> SV_ENDED
**   SV_RUNNING ... ended by anything: finish ------------------> SV_ENDED
**   any .......... in the child of a fork: abandon, as sent ---> SV_ENDED
**   SV_ENDED ..... its file has come whole: settle ------------> SV_ENDED
**
** An answer, a failure, a cancel, a time limit and the loss of a descriptor all
** end a running one by `finish`: it alone has evidence of what was sent. What
** the outcome says by then stays.
*/
#ifndef SV_HTTP_TRANSFER_H
#define SV_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "http/answer.h"
#include "http/request.h"
#include "http/sink.h"
#include "rules/buffer.h"

typedef enum sv_stage { SV_QUEUED, SV_RUNNING, SV_ENDED } sv_stage;

typedef struct sv_transfer {
  struct sv_engine *engine; /* while queued or running */
  struct sv_transfer *previous, *next; /* in one of the engine's lists */
  sv_stage stage;
  int sends; /* how often libcurl was about to send it */
  double begun, connect_by, end_by;
  bool head_ended; /* by an empty line */
  bool answered;   /* the final answer's head is complete */
  bool turned_away; /* an address was private; there may be others */
  bool undecided;  /* too little of its body has come to tell where that goes */
  CURL *easy;    /* while running */
  struct sv_pool *pool; /* likewise */
  char problem[CURL_ERROR_SIZE]; /* what libcurl says about it */
  struct curl_slist *headers;
  sv_request options; /* `body` is NULL unless it is a POST */
  void *texts;        /* what `options` points to */
  sv_origin origin;
  size_t head_seen; /* bytes, of interim answers and redirects too */
  sv_buffer head, body; /* lines as received; what is not in the file */
  sv_sink sink; /* open while running */
  sv_outcome outcome;
} sv_transfer;

/* A zeroed transfer gets a copy of the request. Its time begins to run, unless
** it is an order. False where memory is short. */
bool sv_transfer_init(sv_transfer *transfer, const sv_request *request);

/* Makes it ready to be sent; false with the outcome filled in where it may not
** be sent. Needs libcurl. */
bool sv_transfer_check(sv_transfer *transfer);

/* Frees what it has; also of one that was never made. */
void sv_transfer_clear(sv_transfer *transfer);

/* Frees the request, and the key in it, when no handle points there any more:
** the caller may keep the transfer for long. */
void sv_transfer_forget(sv_transfer *transfer);

/* Opens the sink; the time of an order begins to run. False with the outcome
** filled in. */
bool sv_transfer_start(sv_transfer *transfer);

/* Whether it may connect to an address. To one that is turned away nothing is
** sent, not even a handshake. */
bool sv_transfer_may_reach(sv_transfer *transfer,
                           const struct sockaddr *address);

/* What libcurl calls, with the transfer as `self`. */
size_t sv_transfer_on_head(char *line, size_t one, size_t size, void *self);
size_t sv_transfer_on_body(char *bytes, size_t one, size_t size, void *self);
int sv_transfer_on_connected(void *self, char *to, char *from, int to_port,
                             int from_port);

/* Ends a transfer that ran, once its outcome says what was sent. */
void sv_transfer_finish(sv_transfer *transfer);

/* A transfer whose file has come whole is not settled before its sink is
** finished, which may take long: sv_transfer_settle does that, on any thread,
** with `stop` as of sv_sink_finish. */
bool sv_transfer_is_settled(const sv_transfer *transfer);
void sv_transfer_settle(sv_transfer *transfer, const _Atomic int *stop);

/* Ends one of which there is no evidence, for libcurl has never had it, or only
** the parent of a fork: as cancelled where nothing else has been said. */
void sv_transfer_abandon(sv_transfer *transfer, bool sent);

/* How far it has come; `total` is what the answer announces. */
sv_progress sv_transfer_progress(const sv_transfer *transfer);

/* The status once the head of the final answer is known, and where its body
** goes, else 0. */
long sv_transfer_status(const sv_transfer *transfer);

#endif
