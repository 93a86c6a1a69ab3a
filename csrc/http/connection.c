#include "http/connection.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "http/libcurl.h"
#include "system/clock.h"

#include "rules/visibility.h"

/* About as long as libcurl considers an idle connection usable. */
static const double IDLE_SECONDS = 120;

enum {
  SOCKETS_AT_ONCE = 4,
  SINK_BUFFER = 512 * 1024, /* a bigger read costs fewer system calls */
};

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

/* CURLOPT_OPENSOCKETFUNCTION, with the transfer. */
static curl_socket_t open_socket(void *self, curlsocktype purpose,
                                 struct curl_sockaddr *address) {
  sv_transfer *transfer = self;
  sv_pool *pool = transfer->pool;
  (void)purpose;
  if (!sv_transfer_may_reach(transfer, &address->addr) || !make_room(pool, 1)) {
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

/* CURLOPT_CLOSESOCKETFUNCTION, with the pool: it may outlive the transfer. */
static int close_socket(void *self, curl_socket_t number) {
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

/* --- handles ---------------------------------------------------------------- */

/* Setting a text takes memory. Where that is short the request must fail, for
** these options decide where it may go and which certificates it trusts. */
static bool set_text(CURL *easy, CURLoption option, const char *text) {
  CURLcode code = curl_easy_setopt(easy, option, text);
  return code == CURLE_OK || (!text && code == CURLE_NOT_BUILT_IN);
}

/* Before 7.85. */
static bool set_protocol_bits(CURL *easy, bool secure, bool may_stay_open) {
  long first = CURLPROTO_HTTPS | (secure ? 0 : CURLPROTO_HTTP);
  long then = CURLPROTO_HTTPS | (may_stay_open ? CURLPROTO_HTTP : 0);
  return curl_easy_setopt(easy, SV_OPT_PROTOCOLS, first) == CURLE_OK &&
         curl_easy_setopt(easy, SV_OPT_REDIR_PROTOCOLS, then) == CURLE_OK;
}

/* libcurl asks both lists of a redirect; the scheme of the first URL is known. */
static bool set_protocols(CURL *easy, const sv_transfer *t) {
  bool secure = t->origin.secure;
  bool may_stay_open = !secure && t->options.insecure_http;
  CURLcode code = curl_easy_setopt(easy, SV_OPT_PROTOCOLS_STR,
                                   secure ? "https" : "http,https");
  if (code == CURLE_UNKNOWN_OPTION) {
    return set_protocol_bits(easy, secure, may_stay_open);
  }
  return code == CURLE_OK &&
         (t->options.redirects == 0 ||
          set_text(easy, SV_OPT_REDIR_PROTOCOLS_STR,
                   may_stay_open ? "http,https" : "https"));
}

/* libcurl repeats a POST where the server closes a reused connection after
** reading it, and no option forbids that; so an order never uses a connection
** that is open already (CURLOPT_FRESH_CONNECT), nor leaves one. */
static void set_connection(CURL *easy, const sv_transfer *t) {
  const sv_request *options = &t->options;
  if (options->fresh) {
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  } else {
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* With plain http it would wait, and the answer is HTTP/1.1 anyway. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, t->origin.secure ? 1L : 0L);
  }
  if (options->redirects > 0 && !options->fresh) {
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)options->redirects);
  }
}

/* A CA *path*, which Debian's libcurl has by default, switches the cache of
** parsed certificates off; each connect would read the whole bundle. */
static bool set_trust(CURL *easy, const sv_transfer *t, const char *ca_file) {
  if (!t->origin.secure && t->options.redirects == 0) {
    return true;
  }
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  return !ca_file || (set_text(easy, CURLOPT_CAINFO, ca_file) &&
                      set_text(easy, CURLOPT_CAPATH, NULL));
}

/* Requests to this machine go through no proxy. */
static bool set_proxy(CURL *easy, const sv_transfer *t) {
  return !t->origin.local || set_text(easy, CURLOPT_PROXY, "");
}

/* QUICK_EXIT: cancelling does not wait for a name look-up to return; before
** 7.87 it does. */
static void set_behaviour(CURL *easy) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, SV_OPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, sv_transfer_on_connected);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, sv_transfer_on_head);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, sv_transfer_on_body);
}

/* libcurl makes milliseconds of them in a long, which may have 32 bits. */
static long whole_seconds(double seconds) {
  const long longest = INT_MAX / 1000;
  return seconds < (double)longest ? (long)(seconds + 0.999) : longest;
}

static void set_content(CURL *easy, const sv_transfer *t) {
  if (t->options.body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->options.body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)t->options.body_size);
  }
  if (t->sink.file.number >= 0) {
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)SINK_BUFFER);
  }
  if (t->options.stall_seconds > 0) {
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                     whole_seconds(t->options.stall_seconds));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, t->options.stall_bytes);
  }
}

static long milliseconds(double seconds) {
  return seconds < INT_MAX / 1000 ? (long)(seconds * 1000 + 0.999) : INT_MAX;
}

/* What the queue has left of the time; 0 would mean no limit. */
static long time_left(const sv_transfer *t) {
  if (t->options.timeout <= 0) {
    return 0;
  }
  return t->end_by > t->begun ? milliseconds(t->end_by - t->begun) : 1;
}

/* What was judged, and its text, which libcurl would derive from it. */
static bool set_address(CURL *easy, const sv_transfer *t) {
  return set_text(easy, CURLOPT_URL, t->options.url) &&
         curl_easy_setopt(easy, CURLOPT_CURLU, t->origin.url) == CURLE_OK;
}

static void set_transfer(CURL *easy, sv_transfer *t) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->problem);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   milliseconds(t->options.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, time_left(t));
  curl_easy_setopt(easy, CURLOPT_SHARE, t->pool->cache);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, t->pool);
}

CURL *sv_handle_new(sv_transfer *t, const char *ca_file) {
  CURL *easy = curl_easy_init();
  if (!easy) {
    return NULL;
  }
  set_behaviour(easy);
  set_transfer(easy, t);
  set_content(easy, t);
  set_connection(easy, t);
  if (set_protocols(easy, t) && set_proxy(easy, t) &&
      set_trust(easy, t, ca_file) && set_address(easy, t)) {
    return easy;
  }
  curl_easy_cleanup(easy);
  return NULL;
}
