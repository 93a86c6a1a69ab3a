#include "rules/media.h"

#include <math.h>
#include <stdio.h>

#include "rules/text.h"

#include "rules/visibility.h"

#define MB 1048576.0

/* Lengths are added up from fractions, which do not add up exactly. */
#define TOLERANCE 1e-6

/* Holds a field's name, a position and a key as sv_show_key writes it. */
#define PATH_SIZE 160

#define MEDIUM "a URL or a table with url"

enum fact { BYTES, DURATION, WIDTH, HEIGHT, FACT_COUNT };

static const struct {
  const char *name;
  const char *unit;
  bool whole;
  double least;
} facts[FACT_COUNT] = {
    [BYTES] = {"bytes", "bytes", true, 0},
    [DURATION] = {"duration", "seconds", false, 0},
    [WIDTH] = {"width", "pixels", true, 1},
    [HEIGHT] = {"height", "pixels", true, 1},
};

/* SV_CODE_COUNT where the value can be believed. */
static sv_code fact_fault(enum fact fact, const sv_value *value) {
  if (value->kind != SV_NUMBER) {
    return SV_TYPE;
  }
  if (facts[fact].whole && !sv_is_whole(value->as.number)) {
    return SV_NOT_INTEGER;
  }
  if (!(value->as.number >= facts[fact].least &&
        value->as.number <= SV_MAX_WHOLE)) {
    return SV_OUT_OF_RANGE;
  }
  return SV_CODE_COUNT;
}

static const sv_value *find(const sv_value *table, const char *name) {
  if (table->kind != SV_TABLE) {
    return NULL;
  }
  for (const sv_entry *entry = table->as.entries; entry; entry = entry->next) {
    if (sv_is_text(&entry->key, name)) {
      return &entry->value;
    }
  }
  return NULL;
}

/* What is known, and can be believed, about a medium; NaN if nothing. */
static double known(const sv_value *medium, enum fact fact) {
  const sv_value *value = find(medium, facts[fact].name);
  if (!value || fact_fault(fact, value) != SV_CODE_COUNT) {
    return NAN;
  }
  return value->as.number;
}

const sv_value *sv_medium_url(const sv_value *medium) {
  const sv_value *url = medium->kind == SV_TEXT ? medium : find(medium, "url");
  return url && url->kind == SV_TEXT ? url : NULL;
}

/* Writes the path of a table's key: url -> field.url, 3 -> field[3]. */
static const char *path_of(char path[PATH_SIZE], const char *field,
                           const sv_value *key) {
  char shown[SV_SHOWN];
  snprintf(path, PATH_SIZE, key->kind == SV_TEXT ? "%s.%s" : "%s%s", field,
           sv_show_key(shown, key));
  return path;
}

static void check_url(const sv_value *url, const char *field,
                      sv_report *report) {
  char shown[SV_SHOWN];
  if (sv_is_url(url->as.text.at, url->as.text.length)) {
    return;
  }
  sv_show_url(shown, url->as.text.at, url->as.text.length);
  sv_report_add(
      report, SV_BAD_URL, field, sv_none, sv_text(shown),
      "must be an http:// or https:// URL without blanks; got \"%s\"", shown);
}

static void check_table_url(const sv_value *medium, const char *path,
                            sv_report *report) {
  const sv_value *url = find(medium, "url");
  char field[PATH_SIZE];
  snprintf(field, sizeof field, "%s.url", path);
  if (!url) {
    sv_report_add(report, SV_REQUIRED, field, sv_none, sv_none,
                  "is required: the URL of the medium");
  } else if (url->kind != SV_TEXT) {
    sv_report_type(report, field, "a string", url);
  } else {
    check_url(url, field, report);
  }
}

static void check_fact(const sv_value *medium, enum fact fact,
                       const char *path, sv_report *report) {
  const sv_value *value = find(medium, facts[fact].name);
  char field[PATH_SIZE], wanted[SV_SHOWN], shown[SV_SHOWN];
  sv_code code;
  if (!value || (code = fact_fault(fact, value)) == SV_CODE_COUNT) {
    return;
  }
  snprintf(field, sizeof field, "%s.%s", path, facts[fact].name);
  snprintf(wanted, sizeof wanted, "a %snumber of %s, %s or more",
           facts[fact].whole ? "whole " : "", facts[fact].unit,
           sv_show_number(shown, facts[fact].least));
  if (code == SV_TYPE) {
    sv_report_type(report, field, wanted, value);
  } else {
    sv_report_add(
        report, code, field,
        code == SV_OUT_OF_RANGE ? sv_number(facts[fact].least) : sv_none,
        sv_number(value->as.number), "must be %s; got %s", wanted,
        sv_show_number(shown, value->as.number));
  }
}

static bool is_known_key(const sv_value *key) {
  for (int i = 0; i < FACT_COUNT; i++) {
    if (sv_is_text(key, facts[i].name)) {
      return true;
    }
  }
  return sv_is_text(key, "url");
}

static void report_key(const sv_value *key, const char *path,
                       sv_report *report) {
  char field[PATH_SIZE];
  sv_guess guess = sv_guess_of(key);
  sv_guess_offer(&guess, "url");
  for (int i = 0; i < FACT_COUNT; i++) {
    sv_guess_offer(&guess, facts[i].name);
  }
  path_of(field, path, key);
  if (guess.best) {
    sv_report_add(report, SV_UNKNOWN_FIELD, field, sv_none, sv_none,
                  "is not known; did you mean %s?", guess.best);
  } else {
    sv_report_add(report, SV_UNKNOWN_FIELD, field, sv_none, sv_none,
                  "is not known; a medium has url, bytes, duration, width "
                  "and height");
  }
}

static const char *show_bytes(char out[SV_SHOWN], double bytes) {
  if (bytes >= MB && sv_is_whole(bytes / MB)) {
    snprintf(out, SV_SHOWN, "%.0f MB (%.0f bytes)", bytes / MB, bytes);
  } else {
    snprintf(out, SV_SHOWN, "%.0f bytes", bytes);
  }
  return out;
}

static sv_code code_of(const sv_media_limits *limits, sv_code code) {
  return limits->is_advice ? SV_ADVISORY : code;
}

static const char *must(const sv_media_limits *limits) {
  return limits->is_advice ? "should, as a reference must," : "must";
}

static void check_size(double bytes, const char *field,
                       const sv_media_limits *limits, sv_report *report) {
  char shown[SV_SHOWN];
  if (limits->max_bytes > 0 &&
      (bytes > limits->max_bytes ||
       (limits->below && bytes == limits->max_bytes))) {
    sv_report_add(report, code_of(limits, SV_MEDIA_TOO_LARGE), field,
                  sv_number(limits->max_bytes), sv_number(bytes),
                  "%s have %s %s; got %.0f bytes", must(limits),
                  limits->below ? "less than" : "at most",
                  show_bytes(shown, limits->max_bytes), bytes);
  }
}

static void check_length(double duration, const char *field,
                         const sv_media_limits *limits, sv_report *report) {
  char limit[SV_SHOWN], shown[SV_SHOWN];
  if (limits->max_duration > 0 && duration > limits->max_duration) {
    sv_report_add(report, code_of(limits, SV_MEDIA_TOO_LONG), field,
                  sv_number(limits->max_duration), sv_number(duration),
                  "%s last at most %s seconds; got %s", must(limits),
                  sv_show_number(limit, limits->max_duration),
                  sv_show_number(shown, duration));
  }
  if (duration < limits->min_duration) {
    sv_report_add(report, code_of(limits, SV_MEDIA_TOO_SHORT), field,
                  sv_number(limits->min_duration), sv_number(duration),
                  "%s last at least %s seconds; got %s", must(limits),
                  sv_show_number(limit, limits->min_duration),
                  sv_show_number(shown, duration));
  }
}

/* One side alone proves too few pixels, but never too many: the shorter side
** may be the other one. */
static void check_sides(const sv_value *medium, const char *field,
                        const sv_media_limits *limits, sv_report *report) {
  double width = known(medium, WIDTH), height = known(medium, HEIGHT);
  double side = width <= height || isnan(height) ? width : height;
  bool both = !isnan(width) && !isnan(height);
  char min[SV_SHOWN], max[SV_SHOWN];
  if (side < limits->min_pixels) {
    sv_report_add(report, code_of(limits, SV_MEDIA_RESOLUTION), field,
                  sv_number(limits->min_pixels), sv_number(side),
                  "%s have at least %s pixels on its shorter side; got %.0f",
                  must(limits), sv_show_number(min, limits->min_pixels), side);
  } else if (both && limits->max_pixels > 0 && side > limits->max_pixels) {
    sv_report_add(report, code_of(limits, SV_MEDIA_RESOLUTION), field,
                  sv_number(limits->max_pixels), sv_number(side),
                  "%s have at most %s pixels on its shorter side; got %.0f",
                  must(limits), sv_show_number(max, limits->max_pixels), side);
  }
}

static void check_table(sv_value *medium, const char *path,
                        const sv_media_limits *limits, sv_report *report) {
  check_table_url(medium, path, report);
  for (int fact = 0; fact < FACT_COUNT; fact++) {
    check_fact(medium, (enum fact)fact, path, report);
  }
  check_size(known(medium, BYTES), path, limits, report);
  check_length(known(medium, DURATION), path, limits, report);
  check_sides(medium, path, limits, report);
  medium->as.entries = sv_order(medium->as.entries);
  for (const sv_entry *entry = medium->as.entries; entry;
       entry = entry->next) {
    if (!is_known_key(&entry->key)) {
      report_key(&entry->key, path, report);
    }
  }
}

void sv_medium_check(sv_value *medium, const char *field,
                     const sv_media_limits *limits, sv_report *report) {
  if (medium->kind == SV_TEXT) {
    check_url(medium, field, report);
  } else if (medium->kind == SV_TABLE) {
    check_table(medium, field, limits, report);
  } else {
    sv_report_type(report, field, MEDIUM, medium);
  }
}

static void check_count(size_t count, const char *field,
                        const sv_media_limits *limits, bool with_video,
                        sv_report *report) {
  bool fewer = with_video && limits->max_with_video > 0 &&
               limits->max_with_video != limits->max;
  double max = fewer ? limits->max_with_video : limits->max;
  char shown[SV_SHOWN];
  if (max > 0 && (double)count > max) {
    sv_report_add(report, SV_TOO_MANY, field, sv_number(max),
                  sv_number((double)count),
                  "may have at most %s %s%s; got %.0f",
                  sv_show_number(shown, max), max > 1 ? "entries" : "entry",
                  fewer ? " beside a reference video" : "",
                  (double)count);
  }
}

static void check_totals(double bytes, double duration, const char *field,
                         const sv_media_limits *limits, sv_report *report) {
  char limit[SV_SHOWN], shown[SV_SHOWN];
  if (limits->total_bytes > 0 && bytes > limits->total_bytes) {
    sv_report_add(report, SV_MEDIA_TOO_LARGE, field,
                  sv_number(limits->total_bytes), sv_number(bytes),
                  "may have at most %s together; got %.0f bytes",
                  show_bytes(shown, limits->total_bytes), bytes);
  }
  if (limits->total_duration > 0 &&
      duration > limits->total_duration + TOLERANCE) {
    sv_report_add(report, SV_MEDIA_TOO_LONG, field,
                  sv_number(limits->total_duration), sv_number(duration),
                  "may last at most %s seconds together; got %s",
                  sv_show_number(limit, limits->total_duration),
                  sv_show_rounded(shown, duration));
  }
}

static void check_array(const sv_value *list, const char *field,
                        const sv_media_limits *limits, bool with_video,
                        sv_report *report) {
  double bytes = 0, duration = 0;
  size_t count = 0;
  for (const sv_entry *entry = list->as.entries; entry; entry = entry->next) {
    double more_bytes = known(&entry->value, BYTES);
    double more_duration = known(&entry->value, DURATION);
    count += sv_position(&entry->key) > 0;
    bytes += isnan(more_bytes) ? 0 : more_bytes;
    duration += isnan(more_duration) ? 0 : more_duration;
  }
  check_count(count, field, limits, with_video, report);
  check_totals(bytes, duration, field, limits, report);
}

/* A gap is named once, by its first position: it may be a billion wide. */
static void report_hole(double first, double last, const char *field,
                        sv_report *report) {
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "%s[%.0f]", field, first);
  if (first == last) {
    sv_report_add(report, SV_TYPE, path, sv_none, sv_text("nil"),
                  "is nil; an array must have no holes");
  } else {
    sv_report_add(report, SV_TYPE, path, sv_none, sv_text("nil"),
                  "is nil, and so is all up to [%.0f]; an array must have no "
                  "holes", last);
  }
}

static void report_stray(const sv_value *key, const char *field,
                         sv_report *report) {
  char path[PATH_SIZE];
  sv_report_add(report, SV_TYPE, path_of(path, field, key), sv_none, sv_none,
                "is not a position in an array; list the references one "
                "after the other");
}

void sv_media_check(sv_value *list, const char *field,
                    const sv_media_limits *limits, bool with_video,
                    sv_report *report) {
  double next = 1;
  if (list->kind != SV_TABLE) {
    sv_report_type(report, field,
                   list->kind == SV_TEXT
                       ? "an array of URLs, { \"https://...\" }"
                       : "an array of URLs",
                   list);
    return;
  }
  list->as.entries = sv_order(list->as.entries);
  check_array(list, field, limits, with_video, report);
  for (sv_entry *entry = list->as.entries; entry; entry = entry->next) {
    double position = sv_position(&entry->key);
    char path[PATH_SIZE];
    if (position == 0) {
      report_stray(&entry->key, field, report);
      continue;
    }
    if (position > next) {
      report_hole(next, position - 1, field, report);
    }
    next = position + 1;
    snprintf(path, sizeof path, "%s[%.0f]", field, position);
    sv_medium_check(&entry->value, path, limits, report);
  }
}
