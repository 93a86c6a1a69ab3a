#include "rules/url.h"

#include <stdint.h>
#include <string.h>

#include "rules/visibility.h"

/* The length of "http://" or "https://" at the start of text, else 0. */
static size_t scheme_length(const char *text, size_t length) {
  static const char *const schemes[] = {"https://", "http://"};
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    if (sv_starts_with(text, length, schemes[i])) {
      return strlen(schemes[i]);
    }
  }
  return 0;
}

static bool has_host(const char *text, size_t length) {
  size_t end = 0, start = 0, i;
  while (end < length && !strchr("/?#", text[end])) {
    end++;
  }
  for (i = 0; i < end; i++) {
    if (text[i] == '@') {
      start = i + 1;
    }
  }
  return start < end && text[start] != ':';
}

static bool is_unbroken(const char *text, size_t length) {
  size_t at = 0;
  while (at < length) {
    uint32_t point;
    size_t step = sv_utf8_next(text + at, length - at, &point);
    if (step == 0 || sv_is_blank_point(point)) {
      return false;
    }
    at += step;
  }
  return true;
}

bool sv_is_url(const char *text, size_t length) {
  size_t scheme = scheme_length(text, length);
  return scheme > 0 && is_unbroken(text, length) &&
         has_host(text + scheme, length - scheme);
}

const char *sv_show_url(char out[SV_SHOWN], const char *text, size_t length) {
  size_t end = 0;
  while (end < length && !strchr("?#;", text[end])) {
    end++;
  }
  if (memchr(text, '@', length)) {
    end = scheme_length(text, length);
  }
  return sv_show(out, text, end);
}
