/*
** Connections that may be used again: one cache of libcurl's for each origin.
**
** Where an HTTP/2 stream stops answering, libcurl ends the stream and keeps
** the connection, on which the next streams would not be answered either. So a
** pool in which a transfer failed is retired: the transfers that use it go on,
** and later ones get another pool for the same origin. When its last user
** leaves it is freed, which closes its connections. One thread, the engine's.
*/
#ifndef SV_CURL_POOL_H
#define SV_CURL_POOL_H

#include <curl/curl.h>
#include <stdbool.h>

typedef struct sv_pool {
  struct sv_pool *next;
  CURLSH *cache;
  int users;
  bool retired;
  double left; /* of sv_now; when its last user went */
  char origin[]; /* scheme, host and port as in the URL */
} sv_pool;

/* Those not retired; zeroed before use. */
typedef struct sv_pools {
  sv_pool *first;
} sv_pools;

/* The pool for a URL; "" is an origin too. NULL where memory is short. Also
** frees those that have been unused for some minutes. */
sv_pool *sv_pool_take(sv_pools *pools, const char *url);
void sv_pool_leave(sv_pool *pool);

/* Of a pool that is in use. */
void sv_pool_retire(sv_pools *pools, sv_pool *pool);

/* Only when none is in use. */
void sv_pools_free(sv_pools *pools);

#endif
