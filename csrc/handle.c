#include "handle.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "transfer.h"

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

static void wipe(sv_handle *handle) {
  curl_easy_reset(handle->easy);
  handle->polls = false;
}

void sv_handle_rest(sv_handle *handle, bool answered) {
  if (handle->polls && answered) {
    curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(handle->easy, CURLOPT_CURLU, NULL);
  } else {
    wipe(handle);
  }
}

/* --- what polls share -------------------------------------------------- */

/* An option that holds a text takes memory, and must not be left out for want
** of it: those decide where a request may go, and whom it trusts. */
static bool set_text(CURL *easy, CURLoption option, const char *text) {
  CURLcode code = curl_easy_setopt(easy, option, text);
  return code == CURLE_OK || (!text && code == CURLE_NOT_BUILT_IN);
}

static bool set_protocols(CURL *easy, const sv_transfer *t) {
  const char *first = t->origin.secure ? "https" : "http";
  bool may_stay_open = !t->origin.secure && t->options.insecure_http;
  const char *then = may_stay_open ? "http,https" : "https";
  return set_text(easy, CURLOPT_PROTOCOLS_STR, first) &&
         (t->options.redirects == 0 ||
          set_text(easy, CURLOPT_REDIR_PROTOCOLS_STR, then));
}

/* libcurl repeats a POST by itself on a reused connection that the server
** closes after reading it, and no option forbids that; so an order never
** sees a used connection (CURLOPT_FRESH_CONNECT), nor leaves one. */
static void set_connection(CURL *easy, const sv_transfer *t) {
  const sv_request *options = &t->options;
  if (options->fresh) {
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  } else {
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* Of plain http it would wait for an answer, only to hear of HTTP/1.1. */
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

/* What goes to this machine is shown to no proxy. */
static bool set_proxy(CURL *easy, const sv_transfer *t) {
  return !t->origin.local || set_text(easy, CURLOPT_PROXY, "");
}

/* A program that the host starts must not inherit the connection. */
static int on_socket(void *self, curl_socket_t file, curlsocktype purpose) {
  (void)self, (void)purpose;
  fcntl(file, F_SETFD, FD_CLOEXEC);
  return CURL_SOCKOPT_OK;
}

/* QUICK_EXIT: giving up does not wait for a name look-up to return. */
static void set_manners(CURL *easy) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, sv_transfer_on_connected);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, sv_transfer_on_head);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, sv_transfer_on_body);
}

static void set_content(CURL *easy, const sv_transfer *t) {
  if (t->options.body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->options.body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)t->options.body_size);
  }
  if (t->sink.file >= 0) {
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)SINK_BUFFER);
  }
  if (t->options.stall_seconds > 0) {
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                     (long)(t->options.stall_seconds + 0.999));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, t->options.stall_bytes);
  }
}

static bool set_shared(sv_handle *handle, const sv_transfer *t,
                       const char *ca_file) {
  CURL *easy = handle->easy;
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle->problem);
  set_manners(easy);
  set_content(easy, t);
  set_connection(easy, t);
  return set_protocols(easy, t) && set_proxy(easy, t) &&
         set_trust(easy, t, ca_file);
}

/* --- what tells requests apart ----------------------------------------- */

/* libcurl counts the age of a connection in whole seconds, rounded down, and
** does not look at it while a stream is open there. */
static void set_oldest(CURL *easy, bool fresh, double fault, bool held) {
  long age = fault > 0 ? (long)(sv_now() - fault) - 1 : 0;
  bool may_reuse = !fresh && (fault <= 0 || (!held && age >= 1));
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, may_reuse ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, may_reuse ? age : 0L);
}

static long milliseconds(double seconds) {
  return seconds < INT_MAX / 1000 ? (long)(seconds * 1000 + 0.999) : INT_MAX;
}

/* What is left of the time after the queue; 0 would mean no limit. */
static long time_left(const sv_transfer *t) {
  if (t->options.timeout <= 0) {
    return 0;
  }
  return t->end_by > t->begun ? milliseconds(t->end_by - t->begun) : 1;
}

/* Of a parsed URL libcurl makes a text of its own only once in a handle's life
** (7.88), and it would go on as the text of all later ones. */
static bool set_address(CURL *easy, const sv_transfer *t) {
  return set_text(easy, CURLOPT_URL, t->options.url) &&
         curl_easy_setopt(easy, CURLOPT_CURLU, t->origin.url) == CURLE_OK;
}

static bool set_own(CURL *easy, sv_transfer *t, double fault, bool held) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   milliseconds(t->options.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, time_left(t));
  set_oldest(easy, t->options.fresh, fault, held);
  return set_address(easy, t);
}

static bool is_poll(const sv_transfer *t) {
  const sv_request *options = &t->options;
  return !t->options.body && !options->fresh && options->redirects == 0 &&
         options->stall_seconds <= 0 && t->sink.file < 0;
}

bool sv_handle_prepare(sv_handle *handle, sv_transfer *t, const char *ca_file,
                       double fault, bool held) {
  bool polls = is_poll(t);
  bool ready = handle->polls && polls && handle->secure == t->origin.secure &&
               handle->local == t->origin.local;
  *handle->problem = '\0';
  if (!ready && handle->polls) {
    wipe(handle);
  }
  if (!ready) {
    if (!set_shared(handle, t, ca_file)) {
      return false;
    }
    handle->polls = polls;
    handle->secure = t->origin.secure;
    handle->local = t->origin.local;
  }
  return set_own(handle->easy, t, fault, held);
}
