/*
** Connections that may be used again: one cache of libcurl's for each origin.
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
#ifndef SV_HTTP_POOL_H
#define SV_HTTP_POOL_H

#include <curl/curl.h>
#include <stdbool.h>

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

/* CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION; the data is the
** pool. */
curl_socket_t sv_pool_open_socket(void *pool, curlsocktype purpose,
                                  struct curl_sockaddr *address);
int sv_pool_close_socket(void *pool, curl_socket_t socket);

/* Only when none is in use. */
void sv_pools_free(sv_pools *pools);

#endif
