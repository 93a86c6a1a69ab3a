#include "rules/text.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/visibility.h"

#define SHOWN_BYTES 60

size_t sv_utf8_next(const char *at, size_t left, uint32_t *point) {
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  unsigned char lead = (unsigned char)at[0];
  size_t more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  uint32_t value = lead;
  if (more == 0) {
    *point = lead;
    return 1;
  }
  if (lead < 0xC2 || lead > 0xF4 || left <= more) {
    return 0;
  }
  value &= 0x3Fu >> more;
  for (size_t i = 1; i <= more; i++) {
    unsigned char next = (unsigned char)at[i];
    if ((next & 0xC0) != 0x80) {
      return 0;
    }
    value = value << 6 | (next & 0x3Fu);
  }
  if (value < least[more] || value > 0x10FFFF ||
      (value >= 0xD800 && value <= 0xDFFF)) {
    return 0;
  }
  *point = value;
  return more + 1;
}

/* Prompts are mostly ASCII, so that is passed over eight bytes at a time. */
static size_t ascii_run(const char *text, size_t length) {
  size_t at = 0;
  while (length - at >= 8) {
    uint64_t word;
    memcpy(&word, text + at, 8);
    if (word & UINT64_C(0x8080808080808080)) {
      break;
    }
    at += 8;
  }
  while (at < length && (unsigned char)text[at] < 0x80) {
    at++;
  }
  return at;
}

bool sv_utf8_count(const char *text, size_t length, size_t *count) {
  size_t at = 0, points = 0;
  while (at < length) {
    uint32_t point;
    size_t step = sv_utf8_next(text + at, length - at, &point);
    if (step == 0) {
      *count = at;
      return false;
    }
    if (step == 1) {
      step = ascii_run(text + at, length - at);
      points += step - 1;
    }
    points++;
    at += step;
  }
  *count = points;
  return true;
}

/* Whether a code point shows nothing: Unicode's White_Space, the control
** characters and the zero-width ones. */
static bool is_blank_point(uint32_t point) {
  static const struct {
    uint32_t first, last;
  } blanks[] = {
      {0x0000, 0x0020}, {0x007F, 0x00A0}, {0x1680, 0x1680},
      {0x2000, 0x200D}, {0x2028, 0x2029}, {0x202F, 0x202F},
      {0x205F, 0x2060}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
  };
  for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++) {
    if (point <= blanks[i].last) {
      return point >= blanks[i].first;
    }
  }
  return false;
}

/* Whether text is well-formed, and each of its code points is blank, or none is. */
static bool is_all(const char *text, size_t length, bool blank) {
  size_t at = 0;
  while (at < length) {
    uint32_t point;
    size_t step = sv_utf8_next(text + at, length - at, &point);
    if (step == 0 || is_blank_point(point) != blank) {
      return false;
    }
    at += step;
  }
  return true;
}

bool sv_is_blank(const char *text, size_t length) {
  return is_all(text, length, true);
}

const char *sv_show(char out[SV_SHOWN], const char *text, size_t length) {
  size_t at = 0, used = 0;
  while (at < length) {
    uint32_t point = 0;
    size_t step = sv_utf8_next(text + at, length - at, &point);
    bool plain = step > 0 && (point == ' ' || !is_blank_point(point));
    size_t room = plain ? step : 4;
    if (used + room > SHOWN_BYTES) {
      memcpy(out + used, "...", 4);
      return out;
    }
    if (plain) {
      memcpy(out + used, text + at, step);
    } else {
      snprintf(out + used, 5, "\\x%02X", (unsigned)(unsigned char)text[at]);
    }
    used += room;
    at += plain ? step : 1;
  }
  out[used] = '\0';
  return out;
}

const char *sv_show_key(char out[SV_SHOWN], const sv_value *key) {
  char number[SV_SHOWN];
  if (key->kind == SV_TEXT) {
    return sv_show(out, key->as.text.at, key->as.text.length);
  }
  snprintf(out, SV_SHOWN, "[%.60s]",
           key->kind == SV_NUMBER ? sv_show_number(number, key->as.number)
                                  : sv_type(key));
  return out;
}

/* The decimal point of the host's locale may be another, of several bytes. */
static char *with_point(char *number) {
  size_t before = strspn(number, "+-0123456789");
  size_t other = strcspn(number + before, "0123456789eE");
  if (other > 0 && number[before + other] != '\0') {
    number[before] = '.';
    memmove(number + before + 1, number + before + other,
            strlen(number + before + other) + 1);
  }
  return number;
}

const char *sv_show_number(char out[SV_SHOWN], double number) {
  if (isnan(number)) {
    return strcpy(out, "NaN");
  }
  if (isinf(number)) {
    return strcpy(out, number > 0 ? "infinity" : "-infinity");
  }
  snprintf(out, SV_SHOWN, "%.15g", number);
  if (strtod(out, NULL) != number) {
    snprintf(out, SV_SHOWN, "%.17g", number);
  }
  return with_point(out);
}

const char *sv_show_rounded(char out[SV_SHOWN], double number) {
  snprintf(out, SV_SHOWN, "%.6g", number);
  return with_point(out);
}

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool sv_starts_with(const char *text, size_t length, const char *word) {
  size_t at = 0;
  while (at < length && word[at] && lower(text[at]) == lower(word[at])) {
    at++;
  }
  return !word[at];
}

/* Longer words than this are not slips of the pen. */
#define LONGEST 40

/* Levenshtein's distance, capitals and small letters alike. */
static size_t distance(const char *a, size_t a_length, const char *b,
                       size_t b_length) {
  size_t row[LONGEST + 1];
  size_t i, j;
  for (j = 0; j <= b_length; j++) {
    row[j] = j;
  }
  for (i = 1; i <= a_length; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (j = 1; j <= b_length; j++) {
      size_t changed = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
      size_t shifted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      diagonal = row[j];
      row[j] = changed < shifted ? changed : shifted;
    }
  }
  return row[b_length];
}

sv_guess sv_guess_of(const sv_value *word) {
  return word->kind == SV_TEXT
             ? (sv_guess){word->as.text.at, word->as.text.length, NULL, 0}
             : (sv_guess){"", 0, NULL, 0};
}

void sv_guess_offer(sv_guess *guess, const char *candidate) {
  size_t length = strlen(candidate);
  size_t longer = length > guess->length ? length : guess->length;
  size_t apart;
  if (longer > LONGEST) {
    return;
  }
  apart = distance(guess->word, guess->length, candidate, length);
  if (apart * 3 <= longer &&
      (!guess->best || apart < guess->distance)) {
    guess->best = candidate;
    guess->distance = apart;
  }
}

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

bool sv_is_url(const char *text, size_t length) {
  size_t scheme = scheme_length(text, length);
  return scheme > 0 && is_all(text, length, false) &&
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

/* Reads the digits at the start of a text: the place after them, or NULL where
** there are none, or more than the number holds. */
static const char *read_number(const char *text, const char *end,
                               long long *number) {
  const char *at = text;
  long long read = 0;
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    if (read > (LLONG_MAX - 9) / 10) {
      return NULL;
    }
    read = read * 10 + (*at - '0');
  }
  *number = at > text ? read : *number;
  return at > text ? at : NULL;
}

sv_content_range sv_content_range_read(const char *text, size_t size) {
  static const char unit[] = "bytes ";
  sv_content_range range = {-1, -1, -1};
  if (!sv_starts_with(text, size, unit)) {
    return range;
  }
  const char *end = text + size, *start = text + strlen(unit);
  const char *dash = read_number(start, end, &range.first);
  if (dash && dash < end && *dash == '-') {
    read_number(dash + 1, end, &range.last);
  } else {
    range.first = -1;
  }
  const char *slash = memchr(text, '/', size);
  if (slash) {
    read_number(slash + 1, end, &range.total);
  }
  return range;
}
