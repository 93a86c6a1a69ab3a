#include "http/handle.h"

#include <limits.h>
#include <stdlib.h>

#include "http/libcurl.h"

#include "rules/visibility.h"

enum {
  SINK_BUFFER = 512 * 1024, /* a bigger read costs fewer system calls */
};

sv_handle *sv_handle_new(void) {
  sv_handle *handle = calloc(1, sizeof *handle);
  if (handle && !(handle->easy = curl_easy_init())) {
    free(handle);
    return NULL;
  }
  return handle;
}

void sv_handle_free(sv_handle *handle) {
  curl_easy_cleanup(handle->easy);
  free(handle);
}

static void reset(sv_handle *handle) {
  curl_easy_reset(handle->easy);
  handle->polls = false;
}

/* libcurl counts how often a handle has repeated a request, over its whole
** life, and fails at the sixth time; a reset clears the count. */
static void detach(sv_handle *handle, bool well) {
  curl_easy_setopt(handle->easy, CURLOPT_SHARE, NULL);
  if (handle->polls && well) {
    curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(handle->easy, CURLOPT_CURLU, NULL);
  } else {
    reset(handle);
  }
}

sv_handle *sv_handles_take(sv_handles *handles) {
  return handles->count > 0 ? handles->idle[--handles->count]
                            : sv_handle_new();
}

void sv_handles_give(sv_handles *handles, sv_handle *handle, bool well) {
  if (handles->count < SV_IDLE_HANDLES) {
    detach(handle, well);
    handles->idle[handles->count++] = handle;
  } else {
    sv_handle_free(handle);
  }
}

void sv_handles_free(sv_handles *handles) {
  while (handles->count > 0) {
    sv_handle_free(handles->idle[--handles->count]);
  }
}

/* --- options that polls share ------------------------------------------ */

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
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, sv_transfer_open_socket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, sv_pool_close_socket);
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

static bool set_shared(sv_handle *handle, const sv_transfer *t,
                       const char *ca_file) {
  CURL *easy = handle->easy;
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle->problem);
  set_behaviour(easy);
  set_content(easy, t);
  set_connection(easy, t);
  return set_protocols(easy, t) && set_proxy(easy, t) &&
         set_trust(easy, t, ca_file);
}

/* --- options in which requests differ ---------------------------------- */

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

/* libcurl (7.88) derives the text of a parsed URL only once in a handle's
** life, and would take it for the text of all later ones: so both are set. */
static bool set_address(CURL *easy, const sv_transfer *t) {
  return set_text(easy, CURLOPT_URL, t->options.url) &&
         curl_easy_setopt(easy, CURLOPT_CURLU, t->origin.url) == CURLE_OK;
}

static bool set_own(CURL *easy, sv_transfer *t) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
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
  return set_address(easy, t);
}

static bool is_poll(const sv_transfer *t) {
  const sv_request *options = &t->options;
  return !t->options.body && !options->fresh && options->redirects == 0 &&
         options->stall_seconds <= 0 && t->sink.file.number < 0;
}

bool sv_handle_prepare(sv_handle *handle, sv_transfer *t,
                       const char *ca_file) {
  bool polls = is_poll(t);
  bool ready = handle->polls && polls && handle->secure == t->origin.secure &&
               handle->local == t->origin.local;
  t->handle = handle;
  t->easy = handle->easy;
  *handle->problem = '\0';
  if (!ready && handle->polls) {
    reset(handle);
  }
  if (!ready) {
    if (!set_shared(handle, t, ca_file)) {
      return false;
    }
    handle->polls = polls;
    handle->secure = t->origin.secure;
    handle->local = t->origin.local;
  }
  return set_own(handle->easy, t);
}
