#include "http/pool.h"

#include <stdlib.h>
#include <string.h>

#include "http/libcurl.h"
#include "http/origin.h"
#include "system/clock.h"

#include "rules/visibility.h"

/* About as long as libcurl considers an idle connection usable. */
static const double IDLE_SECONDS = 120;

enum { SOCKETS_AT_ONCE = 4 };

static CURLSH *new_cache(void) {
  CURLSH *cache = curl_share_init();
  if (cache && curl_share_setopt(cache, CURLSHOPT_SHARE,
                                 CURL_LOCK_DATA_CONNECT) != CURLSHE_OK) {
    curl_share_cleanup(cache);
    return NULL;
  }
  return cache;
}

static sv_pool *new_pool(const char *origin, size_t size) {
  sv_pool *pool = calloc(1, sizeof *pool + size + 1);
  if (pool && !(pool->cache = new_cache())) {
    free(pool);
    return NULL;
  }
  if (pool) {
    memcpy(pool->origin, origin, size);
  }
  return pool;
}

static bool holds(const sv_pool *pool) {
  for (int i = 0; i < pool->count; i++) {
    if (!sv_socket_holds(&pool->sockets[i])) {
      return false;
    }
  }
  return true;
}

/* Closes its connections, which writes to them. */
static void free_pool(sv_pool *pool) {
  if (!holds(pool)) {
    sv_libcurl_abandon(pool);
    return;
  }
  curl_share_cleanup(pool->cache);
  free(pool->sockets);
  free(pool);
}

static void take_out(sv_pools *pools, sv_pool *pool) {
  sv_pool **at = &pools->first;
  while (*at != pool) {
    at = &(*at)->next;
  }
  *at = pool->next;
}

static void free_idle(sv_pools *pools) {
  double since = sv_now() - IDLE_SECONDS;
  for (sv_pool *pool = pools->first, *next; pool; pool = next) {
    next = pool->next;
    if (pool->users == 0 && pool->left < since) {
      take_out(pools, pool);
      free_pool(pool);
    }
  }
}

static bool is_of(const sv_pool *pool, const char *url, size_t size) {
  return !pool->retired && strncmp(pool->origin, url, size) == 0 &&
         pool->origin[size] == '\0';
}

/* For the sockets of a transfer, of which libcurl tries several at once. */
static bool make_room(sv_pool *pool, int more) {
  if (pool->count + more <= pool->room) {
    return true;
  }
  int room = 2 * pool->room + more;
  sv_descriptor *sockets = realloc(pool->sockets,
                                   (size_t)room * sizeof *sockets);
  if (sockets) {
    pool->sockets = sockets;
    pool->room = room;
  }
  return sockets != NULL;
}

sv_pool *sv_pool_take(sv_pools *pools, const char *url) {
  size_t size = sv_origin_size(url);
  free_idle(pools);
  sv_pool *pool = pools->first;
  while (pool && !is_of(pool, url, size)) {
    pool = pool->next;
  }
  if (!pool && (pool = new_pool(url, size))) {
    pool->next = pools->first;
    pools->first = pool;
  }
  if (!pool || !make_room(pool, SOCKETS_AT_ONCE)) {
    return NULL;
  }
  pool->users++;
  return pool;
}

void sv_pool_leave(sv_pools *pools, sv_pool *pool) {
  pool->left = sv_now();
  if (--pool->users == 0 && pool->retired) {
    take_out(pools, pool);
    free_pool(pool);
  }
}

void sv_pool_retire(sv_pool *pool) {
  pool->retired = true;
}

void sv_pools_free(sv_pools *pools) {
  while (pools->first) {
    sv_pool *pool = pools->first;
    pools->first = pool->next;
    free_pool(pool);
  }
}

/* --- sockets -------------------------------------------------------------- */

bool sv_pools_hold(sv_pools *pools) {
  for (sv_pool *pool = pools->first, *next; pool; pool = next) {
    next = pool->next;
    if (!holds(pool) && pool->users > 0) {
      return false;
    } else if (!holds(pool)) {
      take_out(pools, pool);
      sv_libcurl_abandon(pool);
    }
  }
  return true;
}

void sv_pools_abandon(sv_pools *pools) {
  if (pools->first) {
    sv_libcurl_abandon(pools->first);
    pools->first = NULL;
  }
}

curl_socket_t sv_pool_open_socket(void *self, curlsocktype purpose,
                                  struct curl_sockaddr *address) {
  sv_pool *pool = self;
  (void)purpose;
  if (!make_room(pool, 1)) {
    return CURL_SOCKET_BAD;
  }
  sv_descriptor opened = sv_socket_open(address->family, address->socktype,
                                        address->protocol);
  if (opened.number == -1) {
    return CURL_SOCKET_BAD;
  }
  pool->sockets[pool->count++] = opened;
  return (curl_socket_t)opened.number;
}

int sv_pool_close_socket(void *self, curl_socket_t number) {
  sv_pool *pool = self;
  for (int i = 0; i < pool->count; i++) {
    if (pool->sockets[i].number == (int)number) {
      sv_socket_close(&pool->sockets[i]);
      pool->sockets[i] = pool->sockets[--pool->count];
      break;
    }
  }
  return 0;
}
