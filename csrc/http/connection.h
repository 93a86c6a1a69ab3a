/*
** Connections that may be used again, one cache of libcurl's for each origin;
** and the handles of libcurl's that send a request over one.
**
** Where an HTTP/2 stream stops answering, libcurl ends the stream and keeps
** the connection, on which the next streams would not be answered either. So a
** pool in which a transfer failed is retired: the transfers that use it go on,
** and later ones get another pool for the same origin. When its last user
** leaves it is freed, which closes its connections. One thread, the engine's.
**
** A pool knows its sockets: the host may have closed the number of one, and
** have something of its own there by now. libcurl would read it, write to it
** and close it.
*/
#ifndef SV_HTTP_CONNECTION_H
#define SV_HTTP_CONNECTION_H

#include <curl/curl.h>
#include <stdbool.h>

#include "http/transfer.h"
#include "system/network.h"

typedef struct sv_pool {
  struct sv_pool *next;
  CURLSH *cache;
  int users;
  bool retired;
  double left; /* of sv_now; when its last user went */
  sv_descriptor *sockets; /* open */
  int count, room;        /* of these */
  char origin[]; /* scheme, host and port as in the URL */
} sv_pool;

/* Zeroed before use. */
typedef struct sv_pools {
  sv_pool *first;
} sv_pools;

/* The pool for a URL; "" is an origin too. NULL where memory is short. Also
** frees those that have been unused for some minutes. */
sv_pool *sv_pool_take(sv_pools *pools, const char *url);
void sv_pool_leave(sv_pools *pools, sv_pool *pool);

/* Of a pool that is in use. */
void sv_pool_retire(sv_pool *pool);

/* Whether the sockets of all pools in use are still ours. Another pool that has
** lost one is abandoned: its memory stays, and nobody touches its sockets. */
bool sv_pools_hold(sv_pools *pools);

/* Abandons all of them. */
void sv_pools_abandon(sv_pools *pools);

/* Only when none is in use. */
void sv_pools_free(sv_pools *pools);

/* A new handle that is to send a transfer's request over a connection of its
** pool, and writes what it says about it to the transfer's `problem`; to be
** cleaned up by curl_easy_cleanup. NULL where memory is short.
**
** None is used twice: libcurl counts how often a handle has repeated a request,
** and one whose HTTP/2 stream was refused keeps a mark by which it repeats the
** next; neither an option nor curl_easy_reset removes that. */
CURL *sv_handle_new(sv_transfer *transfer, const char *ca_file);

#endif
