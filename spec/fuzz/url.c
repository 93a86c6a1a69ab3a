/*
** URLs of any bytes: of media, and those the engine is to go to.
*/
#include "rules/text.h"

#include <curl/curl.h>

#include "bytes.h"
#include "http/origin.h"

static void check_media(const char *text, size_t size) {
  char shown[SV_SHOWN];
  size_t points;
  sv_show_url(shown, text, size);
  HOLDS(strlen(shown) < SV_SHOWN);
  HOLDS(!strpbrk(shown, "?#;@"));
  HOLDS(sv_utf8_count(shown, strlen(shown), &points));
  if (sv_is_url(text, size)) {
    HOLDS(size > 7 && !memchr(text, '\0', size) && !memchr(text, ' ', size));
  }
}

static bool read(sv_origin *origin, sv_known_origin *known, const char *text,
                 bool insecure_http) {
  sv_outcome outcome = {0};
  bool allowed = sv_origin_read(origin, known, text, insecure_http, &outcome);
  HOLDS(allowed == (outcome.reason == SV_REASON_NONE));
  HOLDS(allowed == (*outcome.message == '\0'));
  HOLDS(!allowed || origin->secure || origin->local || insecure_http);
  for (const char *c = outcome.message; *c; c++) {
    HOLDS((unsigned char)*c >= 0x20 && *c != 0x7F);
  }
  return allowed;
}

static void assert_same(const sv_origin *one, const sv_origin *other) {
  char *text, *other_text;
  HOLDS(curl_url_get(one->url, CURLUPART_URL, &text, 0) == CURLUE_OK);
  HOLDS(curl_url_get(other->url, CURLUPART_URL, &other_text, 0) == CURLUE_OK);
  HOLDS(strcmp(text, other_text) == 0);
  HOLDS(one->secure == other->secure && one->local == other->local);
  curl_free(text);
  curl_free(other_text);
}

/* Where another path of that origin was read before, the same comes of it. */
static void check_origin(const char *text, const char *root,
                         bool insecure_http) {
  sv_known_origin nothing = {0}, known = {0};
  sv_origin first, again, before;
  bool allowed = read(&first, &nothing, text, insecure_http);
  read(&before, &known, root, insecure_http);
  HOLDS(read(&again, &known, text, insecure_http) == allowed);
  if (allowed) {
    assert_same(&first, &again);
  }
  curl_url_cleanup(first.url);
  curl_url_cleanup(again.url);
  curl_url_cleanup(before.url);
  sv_origin_forget(&nothing);
  sv_origin_forget(&known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = copy_exactly(data, size);
  check_media(text, size);
  free(text);
  text = malloc(size + 1);
  HOLDS(text != NULL);
  memcpy(text, data, size);
  text[size] = '\0';
  size_t origin_size = sv_origin_size(text);
  char *root = malloc(origin_size + 2);
  HOLDS(root != NULL);
  memcpy(root, text, origin_size);
  strcpy(root + origin_size, "/");
  check_origin(text, root, false);
  check_origin(text, root, true);
  free(root);
  free(text);
  return 0;
}
