#include "curl/origin.h"

#include <stdio.h>
#include <string.h>

#include "platform/address.h"

void sv_blank_controls(char *text) {
  for (; *text; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7F) {
      *text = '?';
    }
  }
}

static sv_reason judge(sv_origin *origin, const char *scheme, const char *host,
                       bool insecure_http, char *why, size_t size) {
  origin->local = sv_address_is_loopback(host);
  origin->secure = strcmp(scheme, "https") == 0;
  if (!origin->secure && strcmp(scheme, "http") != 0) {
    snprintf(why, size, "the URL is neither https nor http");
    return SV_REASON_INVALID;
  }
  if (!origin->secure && !origin->local && !insecure_http) {
    snprintf(why, size,
             "http to %.60s would not be encrypted; use https, or allow it"
             " with insecure_http",
             host);
    sv_blank_controls(why);
    return SV_REASON_INSECURE;
  }
  return SV_REASON_NONE;
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

sv_reason sv_origin_read(sv_origin *origin, const char *text,
                         bool insecure_http, char *why, size_t size) {
  char *scheme = NULL, *host = NULL;
  sv_reason reason = SV_REASON_INVALID;
  CURLUcode code = read_parts(origin, text, &scheme, &host);
  if (code == CURLUE_OUT_OF_MEMORY) {
    reason = SV_REASON_IO;
    snprintf(why, size, "out of memory");
  } else if (code != CURLUE_OK) {
    snprintf(why, size, "the URL cannot be read, or holds a user name");
  } else {
    reason = judge(origin, scheme, host, insecure_http, why, size);
  }
  curl_free(scheme);
  curl_free(host);
  return reason;
}
