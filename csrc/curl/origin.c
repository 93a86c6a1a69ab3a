#include "curl/origin.h"

#include <string.h>

#include "platform/address.h"

#include "core/hidden.h"

static bool judge(sv_origin *origin, const char *scheme, const char *host,
                  bool insecure_http, sv_outcome *outcome) {
  origin->local = sv_address_is_loopback(host);
  origin->secure = strcmp(scheme, "https") == 0;
  if (!origin->secure && strcmp(scheme, "http") != 0) {
    sv_outcome_say(outcome, SV_REASON_INVALID,
                   "the URL is neither https nor http");
    return false;
  }
  if (!origin->secure && !origin->local && !insecure_http) {
    sv_outcome_say(outcome, SV_REASON_INSECURE, "http to %.60s would not be"
                   " encrypted; use https, or allow it with insecure_http",
                   host);
    return false;
  }
  return true;
}

static CURLUcode read_parts(sv_origin *origin, const char *text, char **scheme,
                            char **host) {
  const unsigned how = CURLU_DISALLOW_USER | CURLU_PATH_AS_IS;
  origin->url = curl_url();
  CURLUcode code = origin->url
                       ? curl_url_set(origin->url, CURLUPART_URL, text, how)
                       : CURLUE_OUT_OF_MEMORY;
  code = code ? code : curl_url_get(origin->url, CURLUPART_SCHEME, scheme, 0);
  return code ? code : curl_url_get(origin->url, CURLUPART_HOST, host, 0);
}

bool sv_origin_read(sv_origin *origin, const char *text, bool insecure_http,
                    sv_outcome *outcome) {
  char *scheme = NULL, *host = NULL;
  CURLUcode code = read_parts(origin, text, &scheme, &host);
  bool allowed = false;
  if (code == CURLUE_OUT_OF_MEMORY) {
    sv_outcome_say(outcome, SV_REASON_IO, "out of memory");
  } else if (code != CURLUE_OK) {
    sv_outcome_say(outcome, SV_REASON_INVALID,
                   "the URL cannot be read, or holds a user name");
  } else {
    allowed = judge(origin, scheme, host, insecure_http, outcome);
  }
  curl_free(scheme);
  curl_free(host);
  return allowed;
}
