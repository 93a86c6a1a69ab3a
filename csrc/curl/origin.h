/*
** Where a request goes, and whether it may go there: https anywhere, http only
** to this machine, unless the caller allows more.
*/
#ifndef SV_CURL_ORIGIN_H
#define SV_CURL_ORIGIN_H

#include <curl/curl.h>

#include "curl/outcome.h"

typedef struct sv_origin {
  CURLU *url;  /* the caller's to clean up, also where sv_origin_read fails */
  bool secure; /* https */
  bool local;  /* a loopback address or localhost */
} sv_origin;

/* False with the outcome filled in, as INVALID, INSECURE or, for want of
** memory, IO; its sentence never holds the URL's query. */
bool sv_origin_read(sv_origin *origin, const char *text, bool insecure_http,
                    sv_outcome *outcome);

#endif
