/*
** A request, as the caller describes it, and where it goes. Times are in
** seconds, sizes in bytes; what it points to is the caller's.
*/
#ifndef SV_HTTP_REQUEST_H
#define SV_HTTP_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/outcome.h"

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
  double send_by;         /* of sv_boottime: from then on not sent; 0: never
                             too late */
  double stall_seconds;   /* 0: never stalls */
  long stall_bytes;       /* a second, below which it does */
  size_t max_body;        /* kept in memory */
  int redirects;          /* followed at most; never with Authorization */
  bool fresh;             /* an order: sent at most once, on a connection of
                             its own, by HTTP/1.1, along no redirect; begun at
                             once, also past max_in_flight, and its time begins
                             then */
  bool insecure_http;     /* allow http to a host that is not loopback */
  bool public_only;       /* refuse addresses that are private (core/ip.h) */
  const char *sink_path;  /* body of a 200, 203 or 206 to this file, or NULL;
                             opened before anything is sent */
  long long sink_offset;  /* where a 206 must begin */
  bool sink_any;          /* takes also what seems to be a page, and does not begin
                             as a video */
  bool sink_sync;         /* fsync at the end */
  const char *sink_etag;     /* of the file whose rest a 206 must be: ETag and */
  const char *sink_modified; /* Last-Modified, or NULL; */
  long long sink_total;      /* and its whole size; 0: unknown */
  long long sink_max;        /* bytes that the file may have; 0: any */
  const char *sink_notes;    /* a file for notes, or NULL, and the SHA-256 of what */
  const char *sink_before;   /* is before the offset, or NULL: see sink.h */
} sv_request;

/* Copies a request, and all it points to into one piece of memory. Returns
** that, to be freed after the last use of the copy; NULL where memory is
** short. The copy of a GET has no body. */
void *sv_request_copy(sv_request *copy, const sv_request *request);

/* The headers as libcurl takes them, in one piece of memory, to be freed after
** the last use; NULL where there are none. False where memory is short. */
bool sv_request_lines(const sv_request *request, struct curl_slist **lines);

/* Whether the method is one that may be sent, and whether the headers are
** well-formed; none that follows redirects may hold a key. False: the outcome
** is SV_REASON_INVALID. */
bool sv_request_check_method(const sv_request *request, sv_outcome *outcome);
bool sv_request_check_headers(const sv_request *request, sv_outcome *outcome);

typedef struct sv_origin {
  CURLU *url;  /* the caller's to clean up, also where sv_origin_read fails */
  bool secure; /* https */
  bool local;  /* a loopback address or localhost */
} sv_origin;

/* How much of a URL is its scheme, host and port. */
size_t sv_origin_size(const char *url);

/* Whether a request may go there: https anywhere, http only to this machine,
** unless the caller allows more. False with the outcome filled in, as INVALID,
** INSECURE or, for want of memory, IO; its sentence never holds the URL's
** query. */
bool sv_origin_read(sv_origin *origin, const char *text, bool insecure_http,
                    sv_outcome *outcome);

#endif
