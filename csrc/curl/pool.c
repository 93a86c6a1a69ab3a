#include "curl/pool.h"

#include <stdlib.h>
#include <string.h>

#include "curl/origin.h"
#include "platform/clock.h"

#include "core/hidden.h"

/* About as long as libcurl considers an idle connection usable. */
static const double IDLE_SECONDS = 120;

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

static void free_pool(sv_pool *pool) {
  curl_share_cleanup(pool->cache);
  free(pool);
}

static void free_idle(sv_pools *pools) {
  double since = sv_now() - IDLE_SECONDS;
  sv_pool **at = &pools->first;
  while (*at) {
    sv_pool *pool = *at;
    if (pool->users == 0 && pool->left < since) {
      *at = pool->next;
      free_pool(pool);
    } else {
      at = &pool->next;
    }
  }
}

sv_pool *sv_pool_take(sv_pools *pools, const char *url) {
  size_t size = sv_origin_size(url);
  free_idle(pools);
  sv_pool *pool = pools->first;
  while (pool && (strncmp(pool->origin, url, size) != 0 ||
                  pool->origin[size] != '\0')) {
    pool = pool->next;
  }
  if (!pool && (pool = new_pool(url, size))) {
    pool->next = pools->first;
    pools->first = pool;
  }
  if (pool) {
    pool->users++;
  }
  return pool;
}

void sv_pool_leave(sv_pool *pool) {
  pool->left = sv_now();
  if (--pool->users == 0 && pool->retired) {
    free_pool(pool);
  }
}

void sv_pool_retire(sv_pools *pools, sv_pool *pool) {
  sv_pool **at = &pools->first;
  if (pool->retired) {
    return;
  }
  while (*at != pool) {
    at = &(*at)->next;
  }
  *at = pool->next;
  pool->retired = true;
}

void sv_pools_free(sv_pools *pools) {
  while (pools->first) {
    sv_pool *pool = pools->first;
    pools->first = pool->next;
    free_pool(pool);
  }
}
