/*
** One of libcurl's easy handles, and every option it is given.
**
** A handle whose last request was a poll (a GET without redirects, file or
** limit of speed, on whatever connection is there) keeps what all polls to
** that sort of origin share; for the next one only what tells requests apart
** is set, and all of that. Before any other request it is wiped.
*/
#ifndef SV_HANDLE_H
#define SV_HANDLE_H

#include <curl/curl.h>

#include "engine.h"

typedef struct sv_handle {
  CURL *easy;
  bool polls; /* set up for polls to an origin that is: */
  bool secure, local;
  char problem[CURL_ERROR_SIZE]; /* what libcurl says about the request */
} sv_handle;

/* NULL where memory is short. */
sv_handle *sv_handle_new(void);
void sv_handle_free(sv_handle *handle);

/* Makes the handle ready to send the transfer's request. Connections made
** before `fault` (of sv_now; 0: none) are not used any more; `held`: one of
** them may still be in use. False where memory is short: the handle is then
** good for nothing. */
bool sv_handle_prepare(sv_handle *handle, sv_transfer *transfer,
                       const char *ca_file, double fault, bool held);

/* Takes the transfer's memory away from the handle. `answered`: it ended well,
** so nothing of it is left that the next one could stumble over. */
void sv_handle_rest(sv_handle *handle, bool answered);

#endif
