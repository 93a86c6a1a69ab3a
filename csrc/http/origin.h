/*
** Where a request goes, and whether it may go there: https anywhere, http only
** to this machine, unless the caller allows more.
*/
#ifndef SV_HTTP_ORIGIN_H
#define SV_HTTP_ORIGIN_H

#include <curl/curl.h>
#include <stddef.h>

#include "http/outcome.h"

typedef struct sv_origin {
  CURLU *url;  /* the caller's to clean up, also where sv_origin_read fails */
  bool secure; /* https */
  bool local;  /* a loopback address or localhost */
} sv_origin;

/* The last one that was read; zeroed before use. */
typedef struct sv_known_origin {
  char text[256]; /* scheme, host and port as in the URL */
  bool insecure_http;
  sv_origin origin;
} sv_known_origin;

/* How much of a URL is its scheme, host and port. */
size_t sv_origin_size(const char *url);

/* False with the outcome filled in, as INVALID, INSECURE or, for want of
** memory, IO; its sentence never holds the URL's query. A URL that differs from
** the one in `known` in its path alone need not be parsed. */
bool sv_origin_read(sv_origin *origin, sv_known_origin *known,
                    const char *text, bool insecure_http,
                    sv_outcome *outcome);
void sv_origin_forget(sv_known_origin *known);

#endif
