/*
** One of libcurl's easy handles, and every option it is given.
**
** A handle whose last request was a poll (a GET without redirects, file or
** minimum speed, on any connection) keeps the options that all polls to that
** sort of origin share; for the next poll only those are set in which requests
** differ, and all of them. Before any other request it is reset.
**
** An order gets a handle that has never sent anything: a handle whose HTTP/2
** stream was refused keeps a mark by which libcurl repeats the next request,
** and neither an option nor curl_easy_reset removes that.
*/
#ifndef SV_HTTP_HANDLE_H
#define SV_HTTP_HANDLE_H

#include <curl/curl.h>

#include "http/transfer.h"

struct sv_handle {
  CURL *easy;
  bool polls; /* set up for polls to an origin that is: */
  bool secure, local;
  char problem[CURL_ERROR_SIZE]; /* what libcurl says about the request */
};

/* NULL where memory is short. */
sv_handle *sv_handle_new(void);
void sv_handle_free(sv_handle *handle);

/* Makes the handle ready to send the transfer's request, over a connection of
** its pool; the transfer has it from now on. False where memory is short: the
** handle is then good for nothing. */
bool sv_handle_prepare(sv_handle *handle, sv_transfer *transfer,
                       const char *ca_file);

/* Handles that have sent something, kept for the next requests; zeroed before
** use. None for orders: they get a new one each. */
enum { SV_IDLE_HANDLES = 64 };

typedef struct sv_handles {
  sv_handle *idle[SV_IDLE_HANDLES];
  int count;
} sv_handles;

/* A new one where none is kept; NULL where memory is short. */
sv_handle *sv_handles_take(sv_handles *handles);

/* Detaches the transfer's memory and pool from the handle. `well`: the
** transfer succeeded and libcurl did not repeat it, so the handle is fit for
** the next poll without a reset. */
void sv_handles_give(sv_handles *handles, sv_handle *handle, bool well);
void sv_handles_free(sv_handles *handles);

#endif
