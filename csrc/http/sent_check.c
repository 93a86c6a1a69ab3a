#include "http/sent_check.h"

#include <string.h>

#include "system/network.h"

#include "rules/visibility.h"

enum {
  BODY_SENT_APART = 64 * 1024, /* libcurl's MAX_INITIAL_POST_SIZE */
  COUNTS_ALL = 0x080700,       /* from 8.7 the request size has the body */
  LINE_TOO_LONG = 100,         /* CURLE_TOO_LARGE, which 8.6 has first */
};

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
  /* What libcurl says where a line has no end. */
  if ((code == CURLE_OUT_OF_MEMORY || (int)code == LINE_TOO_LONG) &&
      t->outcome.status && !t->answered) {
    return SV_REASON_TOO_LARGE;
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

/* libcurl's message quotes the whole address, with the password in it. */
static bool is_bad_proxy(const char *problem) {
  static const char beginning[] = "Unsupported proxy";
  return strncmp(problem, beginning, sizeof beginning - 1) == 0;
}

static void explain(sv_transfer *t, CURLcode code, const char *ca_file) {
  const char *problem = t->problem;
  const char *what = *problem ? problem : curl_easy_strerror(code);
  sv_reason reason = is_bad_proxy(problem) ? SV_REASON_INVALID
                     : t->turned_away      ? SV_REASON_PRIVATE
                                           : reason_for(t, code);
  long system_error = 0;
  curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &system_error);
  if (reason == SV_REASON_CONNECT) { /* elsewhere it may be an older one */
    t->outcome.system_error = (int)system_error;
  }
  if (is_bad_proxy(problem)) {
    sv_outcome_say(&t->outcome, reason, "the proxy that the environment names"
                   " (https_proxy, http_proxy or all_proxy) cannot be used:"
                   " write it like http://proxy.example:3128");
  } else if (reason == SV_REASON_PRIVATE) {
    sv_outcome_say(&t->outcome, reason, "its address is this machine's or a"
                   " private network's");
  } else if (reason == SV_REASON_TLS) {
    sv_outcome_say(&t->outcome, reason, "no secure connection: %s (trusted"
                   " certificates: %s)", what,
                   ca_file ? ca_file : "libcurl's own");
  } else if (reason == SV_REASON_INSECURE) {
    sv_outcome_say(&t->outcome, reason, "the server redirects to an address"
                   " that is not https");
  } else if (reason == SV_REASON_TOO_LARGE) {
    sv_outcome_say(&t->outcome, reason, "the head of the answer has a line"
                   " without end");
  } else if (reason == SV_REASON_CONNECT && system_error) {
    char why[128];
    sv_address_problem((int)system_error, why, sizeof why);
    sv_outcome_say(&t->outcome, reason, "%s: %s", what, why);
  } else {
    sv_outcome_say(&t->outcome, reason, "%s", what);
  }
}

/* A redirect that is followed ends with an empty line too. */
static bool head_is_read(const sv_transfer *t) {
  bool leads_on = t->options.redirects > 0 && t->outcome.status / 100 == 3;
  return t->answered || (t->head_ended && t->outcome.status && !leads_on);
}

/* libcurl counts a write once it is complete. Over TLS one write is several
** records, of which the server may have read the first ones by then. */
static bool was_sent(const sv_transfer *t, long request_size,
                     curl_off_t uploaded) {
  bool uncounted = t->origin.secure && t->options.body_size > 0;
  return t->sends > 1 || (t->sends > 0 && (request_size > 0 || uploaded > 0 ||
                                           uncounted));
}

/* A lower bound: where a head and a short body did not leave in one write,
** libcurl counts the first write and the body. */
static long long count_sent(const sv_transfer *t, long request_size,
                            curl_off_t uploaded) {
  if (t->options.body_size >= BODY_SENT_APART &&
      curl_version_info(CURLVERSION_NOW)->version_num < COUNTS_ALL) {
    return request_size + (long long)uploaded;
  }
  return request_size > uploaded ? request_size : (long long)uploaded;
}

static sv_phase phase_of(const sv_transfer *t, long long uploaded) {
  if (head_is_read(t)) {
    return SV_PHASE_BODY;
  }
  if (!t->outcome.sent) {
    return t->sends > 0 ? SV_PHASE_REQUEST : SV_PHASE_CONNECT;
  }
  return uploaded < (long long)t->options.body_size ? SV_PHASE_REQUEST
                                                    : SV_PHASE_ANSWER;
}

static void read_handle(sv_transfer *t) {
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
  outcome->sent = was_sent(t, request_size, uploaded);
  outcome->status = outcome->status < 200 ? 0 : outcome->status;
  outcome->phase = phase_of(t, (long long)uploaded);
  outcome->bytes_sent =
      outcome->sent ? count_sent(t, request_size, uploaded) : 0;
  outcome->received = (long long)received;
  outcome->reused = outcome->sent && connects == 0;
  outcome->elapsed = (double)elapsed / 1e6;
  outcome->http_version = version == CURL_HTTP_VERSION_2     ? 20
                          : version == CURL_HTTP_VERSION_1_0 ? 10
                                                             : 11;
}

void sv_sent_check_read(sv_transfer *t, CURLcode code, const char *ca_file) {
  read_handle(t);
  if (code != CURLE_OK && t->outcome.reason == SV_REASON_NONE) {
    explain(t, code, ca_file);
  }
}
