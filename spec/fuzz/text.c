/*
** Text of any bytes, as it is counted, shown and corrected.
*/
#include "rules/text.h"

#include "bytes.h"

/* What is shown may stand in a message on a terminal. */
static void check_shown(const char shown[SV_SHOWN]) {
  size_t length = strlen(shown), points;
  HOLDS(length < SV_SHOWN);
  HOLDS(sv_utf8_count(shown, length, &points));
  for (size_t i = 0; i < length; i++) {
    HOLDS((unsigned char)shown[i] >= 0x20 && shown[i] != 0x7F);
  }
}

/* One code point after the other comes to what is counted at one go. */
static void check_count(const char *text, size_t size) {
  size_t at = 0, points = 0, counted = 0, step = 1;
  bool whole = sv_utf8_count(text, size, &counted);
  while (at < size) {
    uint32_t point;
    step = sv_utf8_next(text + at, size - at, &point);
    if (step == 0) {
      break;
    }
    HOLDS(point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF));
    at += step;
    points++;
  }
  HOLDS(whole == (at == size));
  HOLDS(counted == (whole ? points : at));
  HOLDS(whole || !sv_is_blank(text, size));
}

static void check_guess(const char *text, size_t size) {
  static const char *const words[] = {"model", "prompt", "lastFrameImage", ""};
  sv_guess guess = {text, size, NULL, 0};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    sv_guess_offer(&guess, words[i]);
  }
  HOLDS(!guess.best || guess.distance <= 40);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = copy_exactly(data, size), shown[SV_SHOWN];
  bytes b = {data, size};
  sv_value key = {SV_TEXT, {{text, size}}};
  check_count(text, size);
  check_guess(text, size);
  check_shown(sv_show(shown, text, size));
  check_shown(sv_show_key(shown, &key));
  double number = take_number(&b);
  check_shown(sv_show_number(shown, number));
  HOLDS(number != number || strtod(shown, NULL) == number);
  free(text);
  return 0;
}
