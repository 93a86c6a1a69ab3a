#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "head.h"

enum {
  MAX_HEAD = 64 * 1024,
  SINK_BUFFER = 512 * 1024, /* a bigger read costs fewer system calls */
  BODY_SENT_APART = 64 * 1024, /* libcurl's MAX_INITIAL_POST_SIZE */
};


static void __attribute__((format(printf, 3, 4)))
say(sv_outcome *outcome, sv_reason reason, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(outcome->message, sizeof outcome->message, format, arguments);
  va_end(arguments);
  outcome->reason = reason;
}

/* --- the request ------------------------------------------------------- */

/* libcurl has written 127.1 or 0x7f000001 as 127.0.0.1 by now. */
static bool check_url(sv_transfer *t, const sv_request *request,
                      sv_outcome *failure) {
  char why[160];
  sv_reason reason = sv_origin_read(&t->origin, request->url,
                                    request->insecure_http, why, sizeof why);
  if (reason != SV_REASON_NONE) {
    say(failure, reason, "%s", why);
  }
  return reason == SV_REASON_NONE;
}

static bool has_control(const char *text) {
  for (; *text; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7F) {
      return true;
    }
  }
  return false;
}

static bool add_line(sv_transfer *t, const char *line) {
  struct curl_slist *longer = curl_slist_append(t->headers, line);
  if (longer) {
    t->headers = longer;
  }
  return longer != NULL;
}

static bool add_header(sv_transfer *t, const sv_header *header) {
  size_t size = strlen(header->name) + strlen(header->value) + 3;
  char *line = malloc(size);
  if (!line) {
    return false;
  }
  /* libcurl would drop "Name:"; "Name;" is its way to send an empty value. */
  snprintf(line, size, *header->value ? "%s: %s" : "%s;", header->name,
           header->value);
  bool added = add_line(t, line);
  free(line);
  return added;
}

static bool out_of_memory(sv_outcome *failure) {
  say(failure, SV_REASON_IO, "out of memory");
  failure->system_error = ENOMEM;
  return false;
}

static bool copy_headers(sv_transfer *t, const sv_request *request,
                         sv_outcome *failure) {
  for (size_t i = 0; i < request->header_count; i++) {
    const sv_header *header = &request->headers[i];
    if (has_control(header->name) || has_control(header->value) ||
        !*header->name || strpbrk(header->name, ": ")) {
      say(failure, SV_REASON_INVALID,
          "a header holds a control character or has no proper name");
      return false;
    }
    if (request->redirects > 0 &&
        strcasecmp(header->name, "Authorization") == 0) {
      say(failure, SV_REASON_INVALID,
          "a request with a key must not follow redirects");
      return false;
    }
    if (!add_header(t, header)) {
      return out_of_memory(failure);
    }
  }
  /* No waiting for 100 Continue: it would only delay a large order. */
  return add_line(t, "Expect:") || out_of_memory(failure);
}

static bool copy_body(sv_transfer *t, const sv_request *request) {
  if (strcmp(request->method, "POST") == 0) {
    t->request_body = malloc(request->body_size + 1);
    if (!t->request_body) {
      return false;
    }
    if (request->body_size > 0) {
      memcpy(t->request_body, request->body, request->body_size);
    }
    t->request_body_size = request->body_size;
  }
  return true;
}

static bool open_sink(sv_transfer *t, const sv_request *request,
                      sv_outcome *failure) {
  if (!request->sink_path) {
    return true;
  }
  int problem = sv_sink_open(&t->sink, request->sink_path,
                             request->sink_offset, request->sink_sync);
  if (problem == EWOULDBLOCK) {
    say(failure, SV_REASON_IO, "another download is writing %s",
        request->sink_path);
  } else if (problem) {
    say(failure, SV_REASON_IO, "cannot write %s: %s", request->sink_path,
        strerror(problem));
  }
  failure->system_error = problem;
  return problem == 0;
}

static bool check_method(const sv_request *request, sv_outcome *failure) {
  bool posts = strcmp(request->method, "POST") == 0;
  if (posts && request->redirects > 0) {
    say(failure, SV_REASON_INVALID, "a POST must not follow redirects");
    return false;
  }
  if (posts || strcmp(request->method, "GET") == 0) {
    return true;
  }
  say(failure, SV_REASON_INVALID, "the method is neither GET nor POST");
  return false;
}

sv_transfer *sv_transfer_new(const sv_request *request, sv_outcome *failure) {
  memset(failure, 0, sizeof *failure);
  sv_transfer *t = calloc(1, sizeof *t);
  if (!t) {
    out_of_memory(failure);
    return NULL;
  }
  t->sink.file = -1;
  t->options = *request;
  t->max_body = request->max_body;
  if (check_method(request, failure) && check_url(t, request, failure) &&
      copy_headers(t, request, failure) &&
      (copy_body(t, request) || out_of_memory(failure)) &&
      open_sink(t, request, failure)) {
    return t;
  }
  sv_transfer_free(t);
  return NULL;
}

void sv_transfer_free(sv_transfer *t) {
  sv_sink_close(&t->sink, false);
  curl_slist_free_all(t->headers);
  sv_buffer_free(&t->head);
  sv_buffer_free(&t->body);
  curl_url_cleanup(t->origin.url);
  free(t->request_body);
  free(t);
}

/* --- what libcurl hands over ------------------------------------------- */

static size_t on_head(char *line, size_t one, size_t size, void *self) {
  sv_transfer *t = self;
  (void)one;
  t->head_seen += size;
  if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
    t->head.size = 0; /* an interim answer or a redirect came before */
  }
  t->head_ended = *line == '\r' || *line == '\n';
  if (t->head_seen > MAX_HEAD) {
    say(&t->outcome, SV_REASON_TOO_LARGE,
        "the head of the answer is larger than %d bytes", MAX_HEAD);
    return 0;
  }
  if (t->answered) {
    return size; /* a trailer, which may say no more about the body */
  }
  if (!sv_buffer_add(&t->head, line, size)) {
    out_of_memory(&t->outcome);
    return 0;
  }
  return size;
}

static bool failed_to_write(sv_transfer *t, int problem) {
  if (problem) {
    say(&t->outcome, SV_REASON_IO, "cannot write the file: %s",
        strerror(problem));
    t->outcome.system_error = problem;
  }
  return problem != 0;
}

/* With the first byte of the final body it is decided where it goes. */
static bool decide(sv_transfer *t) {
  long status = 0;
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  t->answered = true;
  t->outcome.status = status;
  if (t->sink.file < 0 || (status != 200 && status != 206) ||
      !sv_head_says_file(t->head.data, t->head.size)) {
    return true;
  }
  if (status == 206 &&
      !sv_head_continues(t->head.data, t->head.size, t->sink.offset)) {
    say(&t->outcome, SV_REASON_PROTOCOL,
        "the server sent another part of the file than was asked for");
    return false;
  }
  t->outcome.to_file = true;
  return !failed_to_write(t, sv_sink_begin(&t->sink, status == 206));
}

/* An announced length is believed when it is too long. */
static bool keep(sv_transfer *t, const char *bytes, size_t size) {
  curl_off_t length = -1;
  curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (t->body.size + size > t->max_body ||
      length > (curl_off_t)t->max_body) {
    say(&t->outcome, SV_REASON_TOO_LARGE,
        "the answer is larger than %zu bytes", t->max_body);
    return false;
  }
  return sv_buffer_add(&t->body, bytes, size) || out_of_memory(&t->outcome);
}

static size_t on_body(char *bytes, size_t one, size_t size, void *self) {
  sv_transfer *t = self;
  (void)one;
  if (!t->answered && !decide(t)) {
    return 0;
  }
  bool taken = t->outcome.to_file
                   ? !failed_to_write(t, sv_sink_write(&t->sink, bytes, size))
                   : keep(t, bytes, size);
  return taken ? size : 0;
}

static int on_connected(void *self, char *to, char *from, int to_port,
                        int from_port) {
  sv_transfer *t = self;
  (void)to, (void)from, (void)to_port, (void)from_port;
  t->connected = true;
  return CURL_PREREQFUNC_OK;
}

/* A program that the host starts must not inherit the connection. */
static int on_socket(void *self, curl_socket_t file, curlsocktype purpose) {
  (void)self, (void)purpose;
  fcntl(file, F_SETFD, FD_CLOEXEC);
  return CURL_SOCKOPT_OK;
}

/* --- the handle -------------------------------------------------------- */

static long milliseconds(double seconds) {
  return seconds < INT_MAX / 1000 ? (long)(seconds * 1000 + 0.999) : INT_MAX;
}

static void set_protocols(CURL *easy, const sv_transfer *t) {
  const char *first = t->origin.secure ? "https" : "http";
  bool may_stay_open = !t->origin.secure && t->options.insecure_http;
  const char *then = may_stay_open ? "http,https" : "https";
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, first);
  if (t->options.redirects > 0) {
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, then);
  }
}

/* libcurl repeats a POST by itself on a reused connection that the server
** closes after reading it, and no option forbids that; so an order never
** sees a used connection, nor leaves one. */
static void set_connection(CURL *easy, const sv_request *options) {
  if (options->fresh) {
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  } else {
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
  }
  if (options->redirects > 0 && !options->fresh) {
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)options->redirects);
  }
}

static void set_limits(CURL *easy, const sv_request *options) {
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   milliseconds(options->connect_timeout));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(options->timeout));
  if (options->stall_seconds > 0) {
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                     (long)(options->stall_seconds + 0.999));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, options->stall_bytes);
  }
}

/* A CA *path*, which Debian's libcurl has by default, switches the cache of
** parsed certificates off; each connect would read the whole bundle. */
static void set_trust(CURL *easy, const char *ca_file) {
  if (ca_file) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
  }
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

/* QUICK_EXIT: giving up does not wait for a name look-up to return. What goes
** to this machine is shown to no proxy. */
static void set_manners(CURL *easy, sv_transfer *t) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
  if (t->origin.local) {
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
  }
}

static double later(double now, double seconds) {
  return seconds > 0 ? now + seconds : INFINITY;
}

bool sv_transfer_start(sv_transfer *t, CURL *easy, const char *ca_file) {
  double now = sv_now();
  t->easy = easy;
  t->connect_by = later(now, t->options.connect_timeout);
  t->end_by = later(now, t->options.timeout);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->problem);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
  if (t->request_body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->request_body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)t->request_body_size);
  }
  if (t->sink.file >= 0) {
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)SINK_BUFFER);
  }
  set_manners(easy, t);
  set_protocols(easy, t);
  set_connection(easy, &t->options);
  set_limits(easy, &t->options);
  if (t->origin.secure || t->options.redirects > 0) {
    set_trust(easy, ca_file);
  }
  return curl_easy_setopt(easy, CURLOPT_CURLU, t->origin.url) == CURLE_OK;
}

/* --- the end ----------------------------------------------------------- */

static const struct {
  CURLcode code;
  sv_reason reason;
} reason_of[] = {
    {CURLE_URL_MALFORMAT, SV_REASON_INVALID},
    {CURLE_COULDNT_RESOLVE_HOST, SV_REASON_RESOLVE},
    {CURLE_COULDNT_RESOLVE_PROXY, SV_REASON_RESOLVE},
    {CURLE_COULDNT_CONNECT, SV_REASON_CONNECT},
    {CURLE_SSL_CONNECT_ERROR, SV_REASON_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, SV_REASON_TLS},
    {CURLE_SSL_CACERT_BADFILE, SV_REASON_TLS},
    {CURLE_SSL_CERTPROBLEM, SV_REASON_TLS},
    {CURLE_SSL_CIPHER, SV_REASON_TLS},
    {CURLE_SSL_ENGINE_INITFAILED, SV_REASON_TLS},
    {CURLE_SSL_INVALIDCERTSTATUS, SV_REASON_TLS},
    {CURLE_OPERATION_TIMEDOUT, SV_REASON_TIMEOUT},
    {CURLE_WEIRD_SERVER_REPLY, SV_REASON_PROTOCOL},
    {CURLE_TOO_MANY_REDIRECTS, SV_REASON_PROTOCOL},
    {CURLE_BAD_CONTENT_ENCODING, SV_REASON_PROTOCOL},
    {CURLE_BAD_FUNCTION_ARGUMENT, SV_REASON_PROTOCOL}, /* no colon in a line */
    {CURLE_OUT_OF_MEMORY, SV_REASON_IO},
};

static sv_reason reason_for(const sv_transfer *t, CURLcode code) {
  if (code == CURLE_OPERATION_TIMEDOUT &&
      strncmp(t->problem, "Operation too slow", 18) == 0) {
    return SV_REASON_STALLED;
  }
  if (code == CURLE_OUT_OF_MEMORY && t->outcome.status && !t->answered) {
    return SV_REASON_TOO_LARGE; /* what libcurl says of a line without end */
  }
  if (code == CURLE_UNSUPPORTED_PROTOCOL) {
    return t->outcome.status ? SV_REASON_INSECURE : SV_REASON_PROTOCOL;
  }
  for (size_t i = 0; i < sizeof reason_of / sizeof *reason_of; i++) {
    if (reason_of[i].code == code) {
      return reason_of[i].reason;
    }
  }
  return SV_REASON_RESET;
}

static void explain(sv_transfer *t, CURLcode code, const char *ca_file) {
  const char *what = *t->problem ? t->problem : curl_easy_strerror(code);
  sv_reason reason = reason_for(t, code);
  long system_error = 0;
  curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &system_error);
  if (reason == SV_REASON_CONNECT) { /* elsewhere it may be an older one */
    t->outcome.system_error = (int)system_error;
  }
  if (reason == SV_REASON_TLS) {
    say(&t->outcome, reason, "no secure connection: %s (trusted certificates:"
        " %s)", what, ca_file ? ca_file : "libcurl's own");
  } else if (reason == SV_REASON_INSECURE) {
    say(&t->outcome, reason, "the server redirects to an address that is not"
        " https");
  } else if (reason == SV_REASON_TOO_LARGE) {
    say(&t->outcome, reason, "the head of the answer has a line without end");
  } else if (reason == SV_REASON_CONNECT && system_error) {
    say(&t->outcome, reason, "%s: %s", what, strerror((int)system_error));
  } else {
    say(&t->outcome, reason, "%s", what);
  }
}

static void read_evidence(sv_transfer *t) {
  sv_outcome *outcome = &t->outcome;
  long request_size = 0, connects = 0, version = 0;
  curl_off_t uploaded = 0, received = 0, elapsed = 0;
  curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request_size);
  curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
  curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
  curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
  curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &elapsed);
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &outcome->status);
  outcome->sent = request_size > 0 || uploaded > 0;
  outcome->status = outcome->status < 200 ? 0 : outcome->status;
  /* A short body goes out with the head and is in both figures. */
  outcome->bytes_sent =
      request_size +
      (t->request_body_size < BODY_SENT_APART ? 0 : (long long)uploaded);
  outcome->received = (long long)received;
  outcome->reused = outcome->sent && connects == 0;
  outcome->elapsed = (double)elapsed / 1e6;
  outcome->http_version = version == CURL_HTTP_VERSION_2     ? 20
                          : version == CURL_HTTP_VERSION_1_0 ? 10
                                                             : 11;
}

static void settle(sv_transfer *t, bool whole) {
  int problem = sv_sink_close(&t->sink, whole && t->outcome.to_file);
  if (whole) {
    failed_to_write(t, problem);
  }
  t->outcome.file_offset = t->sink.offset;
  t->outcome.file_bytes = t->sink.written;
  t->stage = SV_DONE;
  t->easy = NULL;
}

void sv_transfer_finish(sv_transfer *t, CURLcode code, const char *ca_file) {
  read_evidence(t);
  if (code != CURLE_OK && t->outcome.reason == SV_REASON_NONE) {
    explain(t, code, ca_file);
  }
  if (t->outcome.reason == SV_REASON_NONE && !t->answered) {
    if (t->head_ended) {
      decide(t); /* the body was empty */
    } else { /* libcurl takes it for an answer all the same */
      say(&t->outcome, SV_REASON_RESET, "the head of the answer is cut short");
    }
  }
  curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, NULL);
  settle(t, t->outcome.reason == SV_REASON_NONE);
}

void sv_transfer_abandon(sv_transfer *t, bool sent) {
  say(&t->outcome, SV_REASON_CANCELLED, "cancelled");
  t->outcome.sent = sent;
  settle(t, false);
}
