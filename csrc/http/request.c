#include "http/request.h"

#include <stdlib.h>
#include <string.h>

#include "system/network.h"

#include "rules/visibility.h"

/* Waiting for 100 Continue would only delay a large order. */
#define NO_EXPECT "Expect:"

static size_t room_for(const char *text) {
  return text ? strlen(text) + 1 : 0;
}

static size_t room_for_all(const sv_request *request) {
  size_t size = request->header_count * sizeof *request->headers;
  for (size_t i = 0; i < request->header_count; i++) {
    size += room_for(request->headers[i].name);
    size += room_for(request->headers[i].value);
  }
  return size + room_for(request->method) + room_for(request->url) +
         request->body_size + 1 + room_for(request->sink_path) +
         room_for(request->sink_etag) + room_for(request->sink_modified) +
         room_for(request->sink_notes) + room_for(request->sink_before);
}

static const char *put_bytes(char **at, const char *bytes, size_t size) {
  char *copy = *at;
  if (size > 0) {
    memcpy(copy, bytes, size);
  }
  copy[size] = '\0';
  *at += size + 1;
  return copy;
}

static const char *put(char **at, const char *text) {
  return text ? put_bytes(at, text, strlen(text)) : NULL;
}

void *sv_request_copy(sv_request *copy, const sv_request *request) {
  sv_header *headers = malloc(room_for_all(request));
  if (!headers) {
    return NULL;
  }
  char *at = (char *)(headers + request->header_count);
  *copy = *request;
  copy->headers = headers;
  for (size_t i = 0; i < request->header_count; i++) {
    headers[i].name = put(&at, request->headers[i].name);
    headers[i].value = put(&at, request->headers[i].value);
  }
  bool posts = strcmp(request->method, "POST") == 0;
  copy->method = put(&at, request->method);
  copy->url = put(&at, request->url);
  copy->body_size = posts ? request->body_size : 0;
  copy->body = posts ? put_bytes(&at, request->body, copy->body_size) : NULL;
  copy->sink_path = put(&at, request->sink_path);
  copy->sink_etag = put(&at, request->sink_etag);
  copy->sink_modified = put(&at, request->sink_modified);
  copy->sink_notes = put(&at, request->sink_notes);
  copy->sink_before = put(&at, request->sink_before);
  return headers;
}

static void add(char **at, const char *text) {
  size_t size = strlen(text);
  memcpy(*at, text, size);
  *at += size;
}

/* libcurl would drop "Name:"; "Name;" is its way to send an empty value. */
static void put_line(char **at, const sv_header *header) {
  add(at, header->name);
  add(at, *header->value ? ": " : ";");
  put(at, header->value);
}

static size_t room_for_lines(const sv_request *request) {
  size_t size = sizeof NO_EXPECT;
  for (size_t i = 0; i < request->header_count; i++) {
    size += strlen(request->headers[i].name) + 2;
    size += room_for(request->headers[i].value);
  }
  return size;
}

bool sv_request_lines(const sv_request *request, struct curl_slist **lines) {
  size_t count = request->header_count + (request->body ? 1 : 0);
  *lines = NULL;
  if (count == 0) {
    return true;
  }
  struct curl_slist *list =
      malloc(count * sizeof *list + room_for_lines(request));
  if (!list) {
    return false;
  }
  char *at = (char *)(list + count);
  for (size_t i = 0; i < count; i++) {
    list[i].data = at;
    list[i].next = i + 1 < count ? &list[i + 1] : NULL;
    if (i < request->header_count) {
      put_line(&at, &request->headers[i]);
    } else {
      put(&at, NO_EXPECT);
    }
  }
  *lines = list;
  return true;
}

static bool refuse(sv_outcome *outcome, const char *why) {
  sv_outcome_say(outcome, SV_REASON_INVALID, "%s", why);
  return false;
}

bool sv_request_check_method(const sv_request *request, sv_outcome *outcome) {
  if (request->body && request->redirects > 0) {
    return refuse(outcome, "a POST must not follow redirects");
  }
  return request->body || strcmp(request->method, "GET") == 0 ||
         refuse(outcome, "the method is neither GET nor POST");
}

static bool has_control(const char *text) {
  for (; *text; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7F) {
      return true;
    }
  }
  return false;
}

static bool check_header(const sv_request *request, const sv_header *header,
                         sv_outcome *outcome) {
  if (has_control(header->name) || has_control(header->value) ||
      !*header->name || strpbrk(header->name, ": ")) {
    return refuse(outcome, "a header holds a control character or has no"
                  " proper name");
  }
  if (request->redirects > 0 && curl_strequal(header->name, "Authorization")) {
    return refuse(outcome, "a request with a key must not follow redirects");
  }
  return true;
}

bool sv_request_check_headers(const sv_request *request, sv_outcome *outcome) {
  for (size_t i = 0; i < request->header_count; i++) {
    if (!check_header(request, &request->headers[i], outcome)) {
      return false;
    }
  }
  return true;
}

/* --- where it goes --------------------------------------------------------- */

size_t sv_origin_size(const char *url) {
  const char *host = strstr(url, "://");
  host = host ? host + 3 : url;
  return (size_t)(host - url) + strcspn(host, "/?#");
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
