#include "http/origin.h"

#include <string.h>

#include "system/network.h"

#include "rules/visibility.h"

size_t sv_origin_size(const char *url) {
  const char *host = strstr(url, "://");
  host = host ? host + 3 : url;
  return (size_t)(host - url) + strcspn(host, "/?#");
}

/* Characters of which libcurl makes nothing else, neither in a whole URL nor in
** a path of its own. */
static bool is_plain_path(const char *text) {
  bool begins = *text == '/';
  while (*text > ' ' && *text < 0x7F && !strchr("%?#\\", *text)) {
    text++;
  }
  return begins && *text == '\0';
}

static bool is_known(const sv_known_origin *known, const char *text,
                     bool insecure_http) {
  size_t size = strlen(known->text);
  return size > 0 && known->insecure_http == insecure_http &&
         strncmp(known->text, text, size) == 0 && is_plain_path(text + size);
}

/* libcurl takes "http:/a" and "http:///a" for "http://a", too. */
static bool has_host(const char *text) {
  const char *host = strncmp(text, "http://", 7) == 0    ? text + 7
                     : strncmp(text, "https://", 8) == 0 ? text + 8
                                                         : "";
  return strcspn(host, "/?#") > 0;
}

/* curl_url_dup forgets the zone of an IPv6 address (seen in 7.88.1), which only
** a % tells. */
static void remember(sv_known_origin *known, const sv_origin *origin,
                     const char *text, bool insecure_http) {
  size_t size = sv_origin_size(text);
  if (!has_host(text) || size >= sizeof known->text ||
      memchr(text, '%', size) || !is_plain_path(text + size)) {
    return;
  }
  sv_origin_forget(known);
  known->origin = *origin;
  known->origin.url = curl_url_dup(origin->url);
  known->insecure_http = insecure_http;
  if (known->origin.url) {
    memcpy(known->text, text, size);
    known->text[size] = '\0';
  }
}

void sv_origin_forget(sv_known_origin *known) {
  curl_url_cleanup(known->origin.url);
  known->origin.url = NULL;
  *known->text = '\0';
}

/* libcurl has written 127.1 or 0x7f000001 as 127.0.0.1 by now. */
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

static bool parse(sv_origin *origin, const char *text, bool insecure_http,
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

static bool copy(sv_origin *origin, const sv_known_origin *known,
                 const char *path, sv_outcome *outcome) {
  *origin = known->origin;
  origin->url = curl_url_dup(known->origin.url);
  if (origin->url &&
      curl_url_set(origin->url, CURLUPART_PATH, path, 0) == CURLUE_OK) {
    return true;
  }
  sv_outcome_say(outcome, SV_REASON_IO, "out of memory");
  return false;
}

bool sv_origin_read(sv_origin *origin, sv_known_origin *known,
                    const char *text, bool insecure_http,
                    sv_outcome *outcome) {
  if (is_known(known, text, insecure_http)) {
    return copy(origin, known, text + strlen(known->text), outcome);
  }
  bool allowed = parse(origin, text, insecure_http, outcome);
  if (allowed) {
    remember(known, origin, text, insecure_http);
  }
  return allowed;
}
