/*
** Where a request goes, and whether it may go there: https anywhere, http to
** this machine alone unless the caller allows more.
*/
#ifndef SV_CURL_ORIGIN_H
#define SV_CURL_ORIGIN_H

#include <curl/curl.h>

#include "curl/engine.h"

typedef struct sv_origin {
  CURLU *url;  /* the reader's to clean up, whatever the reading said */
  bool secure; /* https */
  bool local;  /* a loopback address or localhost */
} sv_origin;

/* SV_REASON_NONE, or INVALID or INSECURE with a sentence in `why`, which
** never holds the URL's query. */
sv_reason sv_origin_read(sv_origin *origin, const char *text,
                         bool insecure_http, char *why, size_t size);

/* Puts a question mark for each control character, which a server or a caller
** may have put into what a message quotes. */
void sv_blank_controls(char *text);

#endif
