/*
** What is to be sent, as the caller says it. Times are in seconds, sizes in
** bytes; what it points to is the caller's.
*/
#ifndef SV_CURL_REQUEST_H
#define SV_CURL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "curl/outcome.h"

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

/* Makes a copy, and of all it points to, in one piece of memory: that is
** returned, to be freed when the copy is used no more. NULL where memory is
** short. Of a GET the body is left out. */
void *sv_request_copy(sv_request *copy, const sv_request *request);

/* Whether the method is one that may be sent, and whether the headers are
** well-formed; none that follows redirects may hold a key. False: the outcome
** is SV_REASON_INVALID. */
bool sv_request_check_method(const sv_request *request, sv_outcome *outcome);
bool sv_request_check_headers(const sv_request *request, sv_outcome *outcome);

#endif
