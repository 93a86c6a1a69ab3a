/*
** URLs of any bytes: of media, and those the engine is to go to.
*/
#include "rules/text.h"

#include <curl/curl.h>

#include "bytes.h"
#include "http/request.h"

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

static void check_origin(const char *text, bool insecure_http) {
  sv_outcome outcome = {0};
  sv_origin origin;
  bool allowed = sv_origin_read(&origin, text, insecure_http, &outcome);
  HOLDS(allowed == (outcome.reason == SV_REASON_NONE));
  HOLDS(allowed == (*outcome.message == '\0'));
  HOLDS(!allowed || origin.secure || origin.local || insecure_http);
  HOLDS(sv_origin_size(text) <= strlen(text));
  for (const char *c = outcome.message; *c; c++) {
    HOLDS((unsigned char)*c >= 0x20 && *c != 0x7F);
  }
  curl_url_cleanup(origin.url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = copy_exactly(data, size);
  check_media(text, size);
  free(text);
  text = malloc(size + 1);
  HOLDS(text != NULL);
  memcpy(text, data, size);
  text[size] = '\0';
  check_origin(text, false);
  check_origin(text, true);
  free(text);
  return 0;
}
