#include "http/transfer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/ip.h"
#include "rules/video.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/network.h"

#include "rules/visibility.h"

enum { MAX_HEAD = 64 * 1024 };

/* --- the request ------------------------------------------------------- */

static double later(double now, double seconds) {
  return seconds > 0 ? now + seconds : (double)INFINITY;
}

bool sv_transfer_init(sv_transfer *t, const sv_request *request) {
  sv_sink_init(&t->sink);
  t->texts = sv_request_copy(&t->options, request);
  t->end_by = request->fresh ? (double)INFINITY
                             : later(sv_now(), request->timeout);
  return t->texts != NULL;
}

/* --- whether it may be sent --------------------------------------------- */

static bool out_of_memory(sv_outcome *outcome) {
  sv_outcome_say(outcome, SV_REASON_IO, "out of memory");
  outcome->system_error = ENOMEM;
  return false;
}

bool sv_transfer_check(sv_transfer *t) {
  const sv_request *options = &t->options;
  return sv_request_check_method(options, &t->outcome) &&
         sv_origin_read(&t->origin, options->url, options->insecure_http,
                        &t->outcome) &&
         sv_request_check_headers(options, &t->outcome) &&
         (sv_request_lines(options, &t->headers) ||
          out_of_memory(&t->outcome));
}

void sv_transfer_forget(sv_transfer *t) {
  curl_url_cleanup(t->origin.url);
  free(t->headers);
  free(t->texts);
  t->headers = NULL;
  t->origin.url = NULL;
  t->texts = NULL;
}

void sv_transfer_clear(sv_transfer *t) {
  sv_transfer_forget(t);
  sv_sink_close(&t->sink);
  sv_buffer_free(&t->head);
  sv_buffer_free(&t->body);
}

/* --- what libcurl calls ------------------------------------------------- */

size_t sv_transfer_on_head(char *line, size_t one, size_t size, void *self) {
  sv_transfer *t = self;
  (void)one;
  t->head_seen += size;
  if (!t->answered && size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
    t->head.size = 0; /* an interim answer or a redirect came before */
    t->head_ended = false;
  }
  if (t->head_seen > MAX_HEAD) {
    sv_outcome_say(&t->outcome, SV_REASON_TOO_LARGE,
                   "the head of the answer is larger than %d bytes", MAX_HEAD);
    return 0;
  }
  if (t->answered || t->head_ended) {
    return size; /* a trailer, which may say no more about the body */
  }
  t->head_ended = *line == '\r' || *line == '\n';
  if (!sv_buffer_add(&t->head, line, size)) {
    out_of_memory(&t->outcome);
    return 0;
  }
  return size;
}

static bool failed_to_write(sv_transfer *t, int problem) {
  if (problem) {
    sv_outcome_say(&t->outcome, SV_REASON_IO, "cannot write the file: %s",
                   strerror(problem));
    t->outcome.system_error = problem;
  }
  return problem != 0;
}

/* Whether the body is the rest of what the file holds; where no part was asked
** for, it may be the whole, and not say so. */
static bool continues(sv_transfer *t, bool asked) {
  const sv_version saved = {t->options.sink_etag, t->options.sink_modified,
                            t->options.sink_total};
  long long first = sv_head_range(t->head.data, t->head.size).first;
  if (first != t->sink.offset && (asked || first >= 0)) {
    sv_outcome_say(&t->outcome, SV_REASON_PROTOCOL, "the server sent another"
                   " part of the file than was asked for");
    return false;
  }
  if (!sv_version_matches(&saved, t->head.data, t->head.size)) {
    sv_outcome_say(&t->outcome, SV_REASON_CHANGED, "the file on the server is"
                   " not the one whose first part was saved");
    return false;
  }
  return true;
}

/* Whether the status is one with which a file comes. */
static bool brings_file(long status) {
  return status == 200 || status == 203 || status == 206;
}

static bool fits(sv_transfer *t, long long bytes) {
  if (t->options.sink_max > 0 && bytes > t->options.sink_max) {
    sv_outcome_say(&t->outcome, SV_REASON_TOO_LARGE,
                   "the file is larger than %lld bytes", t->options.sink_max);
    return false;
  }
  return true;
}

/* Looks at the announced length before what is there is given up. */
static bool begin_file(sv_transfer *t, bool resumed) {
  curl_off_t length = -1;
  curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (!fits(t, (resumed ? t->sink.offset : 0) + (long long)length)) {
    return false;
  }
  t->outcome.to_file = true;
  return !failed_to_write(t, sv_sink_begin(&t->sink, resumed));
}

/* Decides, at the first byte of the final body, where the body goes. What seems
** to be a page takes the place of nothing in the file, unless its beginning shows
** that it is a video. */
static bool decide(sv_transfer *t) {
  long status = 0;
  curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
  t->answered = true;
  t->outcome.phase = SV_PHASE_BODY;
  t->outcome.status = status;
  if (status < 200) { /* "HTTP/200" is version 2, status 0 to libcurl */
    sv_outcome_say(&t->outcome, SV_REASON_PROTOCOL,
                   "the answer has no status");
    return false;
  }
  if (t->sink.file.number < 0 || !brings_file(status)) {
    return true;
  }
  bool asked = t->sink.offset > 0, resumed = asked && status == 206;
  if (status == 206 && !continues(t, asked)) {
    return false;
  }
  t->undecided = !resumed && !t->options.sink_any &&
                 !sv_head_says_file(t->head.data, t->head.size);
  return t->undecided || begin_file(t, resumed);
}

/* Of a body that is too long the beginning is kept: it says what the task is. What
** is announced beyond that is not waited for. */
static bool keep(sv_transfer *t, const char *bytes, size_t size) {
  size_t most = t->options.max_body, room = most - t->body.size;
  curl_off_t length = -1;
  curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (!sv_buffer_add(&t->body, bytes, size < room ? size : room)) {
    return out_of_memory(&t->outcome);
  } else if (size > room || (size == room && length > (curl_off_t)most)) {
    sv_outcome_say(&t->outcome, SV_REASON_TOO_LARGE,
                   "the answer is larger than %.0f bytes", (double)most);
    return false;
  }
  return true;
}

static bool write_file(sv_transfer *t, const char *bytes, size_t size) {
  return fits(t, t->sink.offset + t->sink.written + (long long)size) &&
         !failed_to_write(t, sv_sink_write(&t->sink, bytes, size));
}

/* Looks whether a body that is kept so far may go to the file. */
static bool look_at_beginning(sv_transfer *t) {
  sv_buffer *body = &t->body;
  if (sv_video_container(body->data, body->size)) {
    t->undecided = false;
    bool taken = begin_file(t, false) &&
                 write_file(t, body->data, body->size);
    sv_buffer_free(body);
    return taken;
  }
  t->undecided = body->size < SV_VIDEO_BEGINNING;
  return true;
}

size_t sv_transfer_on_body(char *bytes, size_t one, size_t size, void *self) {
  sv_transfer *t = self;
  (void)one;
  if (!t->answered && !decide(t)) {
    return 0;
  }
  bool taken = t->outcome.to_file
                   ? write_file(t, bytes, size)
                   : keep(t, bytes, size) &&
                         (!t->undecided || look_at_beginning(t));
  return taken ? size : 0;
}

/* The address connected to is a proxy's where its port is not that of the URL,
** which redirects change; then the URL alone tells. What cannot be read counts
** as private. */
static bool is_private(sv_transfer *t, bool is_private_address, int port) {
  char *text = NULL, *host = NULL, *own_port = NULL;
  CURLU *url = curl_url();
  bool is = true;
  curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &text);
  if (url && text && !curl_url_set(url, CURLUPART_URL, text, 0) &&
      !curl_url_get(url, CURLUPART_HOST, &host, 0) &&
      !curl_url_get(url, CURLUPART_PORT, &own_port, CURLU_DEFAULT_PORT)) {
    is = sv_host_is_private(host) ||
         (is_private_address && port == atoi(own_port));
  }
  curl_free(host);
  curl_free(own_port);
  curl_url_cleanup(url);
  return is;
}

static bool may_connect(sv_transfer *t, bool is_private_address, int port) {
  if (!t->options.public_only || !is_private(t, is_private_address, port)) {
    return true;
  }
  t->turned_away = true;
  return false;
}

bool sv_transfer_may_reach(sv_transfer *t, const struct sockaddr *address) {
  unsigned char ip[SV_IP_ROOM];
  int port = 0;
  size_t size = sv_address_read(address, ip, &port);
  return may_connect(t, size == 0 || sv_ip_is_private(ip, size), port);
}

/* An order is sent once, whatever makes libcurl repeat a request; and not at
** all after `send_by`, when others may have abandoned it: this machine may
** have slept meanwhile. */
static bool may_be_sent(sv_transfer *t) {
  if (t->options.fresh && t->sends > 1) {
    sv_outcome_say(&t->outcome, SV_REASON_RESET,
                   "the connection broke before an answer came");
    return false;
  }
  if (t->options.send_by > 0 && sv_boottime() >= t->options.send_by) {
    sv_outcome_say(&t->outcome, SV_REASON_LATE, "the program or the machine"
                   " stood still until it was too late to send the request");
    t->sends--;
    return false;
  }
  return true;
}

int sv_transfer_on_connected(void *self, char *to, char *from, int to_port,
                             int from_port) {
  sv_transfer *t = self;
  (void)from, (void)from_port;
  /* A connection that another request has opened. */
  if (!may_connect(t, sv_host_is_private(to), to_port)) {
    return CURL_PREREQFUNC_ABORT;
  }
  t->turned_away = false;
  t->sends++;
  return may_be_sent(t) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* --- start and end ------------------------------------------------------ */

static bool open_sink(sv_transfer *t) {
  const char *path = t->options.sink_path;
  if (!path) {
    return true;
  }
  int problem = sv_sink_open(&t->sink, path, t->options.sink_offset,
                             t->options.sink_sync, t->options.sink_notes,
                             t->options.sink_before);
  if (problem == EWOULDBLOCK) {
    sv_outcome_say(&t->outcome, SV_REASON_BUSY,
                   "another download is writing %s", path);
  } else if (problem) {
    sv_outcome_say(&t->outcome, SV_REASON_IO, "cannot write %s: %s", path,
                   sv_file_problem(problem));
  }
  t->outcome.system_error = problem;
  return problem == 0;
}

bool sv_transfer_start(sv_transfer *t) {
  if (!open_sink(t)) {
    return false;
  }
  t->begun = sv_now();
  t->connect_by = later(t->begun, t->options.connect_timeout);
  if (t->options.fresh) {
    t->end_by = later(t->begun, t->options.timeout);
  }
  return true;
}

/* A whole file is left open, for sv_transfer_settle. */
static void end(sv_transfer *t) {
  bool saved = t->outcome.reason == SV_REASON_NONE && t->outcome.to_file;
  if (!saved) {
    int problem = sv_sink_close(&t->sink);
    if (t->outcome.reason == SV_REASON_NONE) {
      failed_to_write(t, problem);
    }
  }
  t->outcome.file_offset = t->sink.offset;
  t->outcome.file_bytes = t->sink.written;
  t->stage = SV_ENDED;
  t->easy = NULL;
}

bool sv_transfer_is_settled(const sv_transfer *t) {
  return t->sink.file.number < 0;
}

void sv_transfer_settle(sv_transfer *t, const _Atomic int *stop) {
  failed_to_write(t, sv_sink_finish(&t->sink, t->outcome.sha256, stop));
}

void sv_transfer_finish(sv_transfer *t) {
  if (t->outcome.reason == SV_REASON_NONE && !t->answered) {
    if (t->head_ended) {
      decide(t); /* the body was empty */
    } else { /* which libcurl accepts as an answer */
      sv_outcome_say(&t->outcome, SV_REASON_RESET,
                     "the head of the answer is cut short");
    }
  }
  t->undecided = false;
  end(t);
}

void sv_transfer_abandon(sv_transfer *t, bool sent) {
  if (t->outcome.reason == SV_REASON_NONE) {
    sv_outcome_say(&t->outcome, SV_REASON_CANCELLED, "cancelled");
  }
  t->outcome.sent = sent;
  t->outcome.phase = sent ? SV_PHASE_ANSWER : SV_PHASE_QUEUE;
  end(t);
}

/* --- looking ----------------------------------------------------------- */

sv_progress sv_transfer_progress(const sv_transfer *t) {
  sv_progress progress = {t->outcome.received, -1, t->outcome.bytes_sent};
  if (t->stage == SV_RUNNING) {
    curl_off_t received = 0, total = -1, sent = 0;
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &total);
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    progress = (sv_progress){received, total, sent};
  } else if (t->stage == SV_ENDED && t->outcome.reason == SV_REASON_NONE) {
    progress.total = progress.received;
  }
  return progress;
}

long sv_transfer_status(const sv_transfer *t) {
  return t->answered && !t->undecided ? t->outcome.status : 0;
}
