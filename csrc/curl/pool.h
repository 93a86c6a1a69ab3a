/*
** Connections that may be used again: one cache of libcurl's for each origin.
**
** libcurl gives up a stream that fell silent (HTTP/2) and keeps its connection,
** where all that follow would fall silent too. So a pool in which something
** broke is retired: what runs there goes on, and what comes next gets another
** pool of the same origin. It is freed, and its connections closed, when nobody
** uses it any more.
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
** frees those that nobody has used for some minutes. */
sv_pool *sv_pool_take(sv_pools *pools, const char *url);
void sv_pool_leave(sv_pool *pool);

/* Of a pool that is in use. */
void sv_pool_retire(sv_pools *pools, sv_pool *pool);

/* When nobody uses one any more. */
void sv_pools_free(sv_pools *pools);

#endif
