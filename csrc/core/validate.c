#include "core/validate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/media.h"
#include "core/text.h"

/* Holds a choice's values or a catalog's names; what is longer is cut. */
#define LIST_SIZE 480

/* One validation under way. */
typedef struct request {
  const sv_catalog *catalog;
  const sv_model *model;
  const char *model_name;           /* NULL where the model is not known */
  sv_value *fields[SV_FIELD_COUNT]; /* never NULL */
  sv_value absent;
  size_t unknown; /* how many entries are no field at all */
  sv_report *report;
} request;

/* Stands in for a model that is not known: what it refuses, all refuse. */
static const sv_model any_model = {
    .takes = SV_BIT(SV_FIELD_COUNT) - 1,
    .frames = {.legacy_aliases = true},
};

static bool is_given(const sv_value *value) {
  return value->kind != SV_ABSENT && value->kind != SV_NULL;
}

/* An empty array is the same as none. */
static bool has_references(const request *r, sv_field field) {
  const sv_value *list = r->fields[field];
  return sv_takes(r->model, field) && is_given(list) &&
         (list->kind != SV_TABLE || list->as.entries);
}

/* There is always room for the dots, which end the list where a word would
** leave none. */
static void add_word(char list[LIST_SIZE], const char *word) {
  static const char dots[] = ", ...";
  const char *comma = list[0] != '\0' ? ", " : "";
  size_t used = strlen(list), tail = strlen(dots);
  if (used >= tail && strcmp(list + used - tail, dots) == 0) {
    return;
  }
  if (used + strlen(comma) + strlen(word) + sizeof dots <= LIST_SIZE) {
    snprintf(list + used, LIST_SIZE - used, "%s%s", comma, word);
  } else {
    strcpy(list + used, dots);
  }
}

/* model */

static void list_models(const sv_catalog *catalog, char list[LIST_SIZE]) {
  list[0] = '\0';
  for (size_t i = 0; i < catalog->count; i++) {
    add_word(list, catalog->models[i]->name);
  }
}

static const char *nearest_model(const sv_catalog *catalog,
                                 const sv_value *name) {
  sv_guess guess = {name->as.text.at, name->as.text.length, NULL, 0};
  for (size_t i = 0; i < catalog->count; i++) {
    sv_guess_offer(&guess, catalog->models[i]->name);
  }
  return guess.best;
}

static const char *home_edition(const sv_value *name) {
  const sv_model *model = sv_built_in(name);
  int edition = 0;
  while (model && !(model->editions & SV_BIT(edition))) {
    edition++;
  }
  return model ? sv_edition_name((sv_edition)edition) : NULL;
}

static void report_unknown_model(const request *r, const sv_value *name) {
  const char *nearest = nearest_model(r->catalog, name);
  const char *edition = home_edition(name);
  char list[LIST_SIZE], shown[SV_SHOWN];
  sv_value limit, actual;
  list_models(r->catalog, list);
  limit = sv_text(list);
  actual = sv_text(sv_show(shown, name->as.text.at, name->as.text.length));
  if (edition) {
    sv_report_add(r->report, SV_UNKNOWN_MODEL, "model", limit, actual,
                  "%s is in the edition %s, not in %s; use one of %s", shown,
                  edition, r->catalog->edition, list);
  } else if (nearest) {
    sv_report_add(r->report, SV_UNKNOWN_MODEL, "model", limit, actual,
                  "\"%s\" is not known; did you mean %s?", shown, nearest);
  } else {
    sv_report_add(r->report, SV_UNKNOWN_MODEL, "model", limit, actual,
                  "\"%s\" is not known; use one of %s", shown, list);
  }
}

static void check_model(const request *r, sv_field field) {
  const sv_value *name = r->fields[field];
  char list[LIST_SIZE];
  if (r->model_name) {
    return;
  }
  if (name->kind == SV_TEXT) {
    report_unknown_model(r, name);
  } else if (name->kind == SV_ABSENT) {
    list_models(r->catalog, list);
    sv_report_add(r->report, SV_REQUIRED, "model", sv_text(list), sv_none,
                  "is required; use one of %s", list);
  } else {
    sv_report_type(r->report, "model", "a string", name);
  }
}

/* prompt */

static void check_prompt(const request *r, sv_field field) {
  const sv_value *prompt = r->fields[field];
  double max = r->model->prompt.max;
  size_t points;
  if (prompt->kind == SV_ABSENT) {
    sv_report_add(r->report, SV_REQUIRED, "prompt", sv_none, sv_none,
                  "is required; say in words what the video is to show");
  } else if (prompt->kind != SV_TEXT) {
    sv_report_type(r->report, "prompt", "a string", prompt);
  } else if (!sv_utf8_count(prompt->as.text.at, prompt->as.text.length,
                            &points)) {
    sv_report_add(r->report, SV_ENCODING, "prompt", sv_none, sv_none,
                  "must be valid UTF-8; byte %zu is not", points + 1);
  } else if (sv_is_blank(prompt->as.text.at, prompt->as.text.length)) {
    sv_report_add(r->report, SV_REQUIRED, "prompt", sv_none, sv_none,
                  "must not be blank; say in words what the video is to show");
  } else if (max > 0 && (double)points > max) {
    sv_report_add(r->report, SV_TOO_LONG, "prompt", sv_number(max),
                  sv_number((double)points),
                  "may have at most %.0f characters; got %zu", max, points);
  }
}

/* duration */

/* The reference list that sets duration and ratio of the output, or NULL. */
static const char *output_setter(const request *r) {
  const struct {
    sv_field field;
    bool sets;
  } lists[] = {
      {SV_IMAGES, r->model->images.sets_output},
      {SV_VIDEOS, r->model->videos.sets_output},
      {SV_AUDIOS, r->model->audios.sets_output},
  };
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    if (lists[i].sets && has_references(r, lists[i].field)) {
      return sv_field_name(lists[i].field);
    }
  }
  return NULL;
}

static bool is_ignored(const request *r, const char *field) {
  const char *setter = output_setter(r);
  if (setter) {
    sv_report_add(r->report, SV_IGNORED_FIELD, field, sv_none, sv_none,
                  "is ignored by %s beside %s, which sets it; leave it out",
                  r->model_name, setter);
  }
  return setter;
}

/* "a whole number of seconds from 4 to 15" */
static void describe_duration(const sv_model *model, char out[LIST_SIZE]) {
  double min = model->duration.min, max = model->duration.max;
  char from[SV_SHOWN], to[SV_SHOWN];
  snprintf(out, LIST_SIZE, "a whole number of seconds from %s%s%s",
           sv_show_number(from, min > 0 ? min : 1), max > 0 ? " to " : "",
           max > 0 ? sv_show_number(to, max) : "");
}

static void report_duration(const request *r, sv_code code, sv_value limit,
                            double given) {
  char wanted[LIST_SIZE], shown[SV_SHOWN];
  describe_duration(r->model, wanted);
  sv_report_add(r->report, code, "duration", limit, sv_number(given),
                "must be %s; got %s", wanted, sv_show_number(shown, given));
}

static void check_advice(const request *r, double given) {
  const double *advised = r->model->duration.advised;
  char list[LIST_SIZE] = "", shown[SV_SHOWN];
  for (; *advised > 0; advised++) {
    if (*advised == given) {
      return;
    }
    add_word(list, sv_show_number(shown, *advised));
  }
  if (list[0] != '\0') {
    sv_report_add(r->report, SV_ADVISORY, "duration", sv_text(list),
                  sv_number(given),
                  "may be refused by %s unless it is one of %s; got %s",
                  r->model_name, list, sv_show_number(shown, given));
  }
}

static void check_seconds(const request *r, double given) {
  double min = r->model->duration.min > 0 ? r->model->duration.min : 1;
  double max = r->model->duration.max;
  if (isfinite(given) && is_ignored(r, "duration")) {
    return;
  } else if (!sv_is_whole(given)) {
    report_duration(r, SV_NOT_INTEGER, sv_none, given);
  } else if (given < min) {
    report_duration(r, SV_OUT_OF_RANGE, sv_number(min), given);
  } else if (given > (max > 0 ? max : SV_MAX_WHOLE)) {
    report_duration(r, SV_OUT_OF_RANGE,
                    sv_number(max > 0 ? max : SV_MAX_WHOLE), given);
  } else {
    check_advice(r, given);
  }
}

static bool is_digits(const sv_value *text) {
  size_t i;
  for (i = 0; i < text->as.text.length; i++) {
    if (text->as.text.at[i] < '0' || text->as.text.at[i] > '9') {
      return false;
    }
  }
  return i > 0 && i < 10;
}

static void check_duration(const request *r, sv_field field) {
  const sv_value *duration = r->fields[field];
  char wanted[LIST_SIZE];
  describe_duration(r->model, wanted);
  if (duration->kind == SV_NUMBER) {
    check_seconds(r, duration->as.number);
  } else if (duration->kind == SV_TEXT && is_digits(duration)) {
    sv_report_add(r->report, SV_TYPE, "duration", sv_none, sv_text("string"),
                  "must be a number; write %.*s without quotes",
                  (int)duration->as.text.length, duration->as.text.at);
  } else if (duration->kind != SV_ABSENT) {
    sv_report_type(r->report, "duration", wanted, duration);
  } else if (r->model->duration.required && !output_setter(r)) {
    sv_report_add(r->report, SV_REQUIRED, "duration", sv_none, sv_none,
                  "is required: %s", wanted);
  }
}

/* ratio, resolution */

static bool offers(const sv_choice *choice, const sv_value *value) {
  size_t i;
  for (i = 0; choice->values[i]; i++) {
    if (sv_is_text(value, choice->values[i])) {
      return true;
    }
  }
  return i == 0;
}

static void check_choice(const request *r, sv_field field) {
  const sv_choice *choice =
      field == SV_RATIO ? &r->model->ratio : &r->model->resolution;
  const sv_value *value = r->fields[field];
  const char *name = sv_field_name(field);
  char list[LIST_SIZE] = "", shown[SV_SHOWN];
  size_t i;
  if (value->kind == SV_ABSENT) {
    return;
  }
  if (value->kind != SV_TEXT) {
    sv_report_type(r->report, name, "a string", value);
    return;
  }
  if ((field == SV_RATIO && is_ignored(r, name)) || offers(choice, value)) {
    return;
  }
  for (i = 0; choice->values[i]; i++) {
    add_word(list, choice->values[i]);
  }
  sv_show(shown, value->as.text.at, value->as.text.length);
  sv_report_add(r->report, SV_UNSUPPORTED_VALUE, name, sv_text(list),
                sv_text(shown), "must be %s%s; got \"%s\"",
                i > 1 ? "one of " : "", list, shown);
}

/* first_image, last_image and their old names */

static sv_field old_name(sv_field frame) {
  return frame == SV_FIRST_IMAGE ? SV_OLD_FIRST_IMAGE : SV_OLD_LAST_IMAGE;
}

/* The field that fills a frame: the new name where both are given. */
static sv_field filled_by(const request *r, sv_field frame) {
  sv_field old = old_name(frame);
  if (is_given(r->fields[frame])) {
    return frame;
  }
  return is_given(r->fields[old]) && sv_takes(r->model, old) ? old
                                                             : SV_FIELD_COUNT;
}

/* Where a model does not take the old names, one of them is an error of its
** own: the pair is whole once that is mended. */
static void check_pair(const request *r, sv_field field, sv_field other) {
  if (filled_by(r, other) == SV_FIELD_COUNT &&
      !is_given(r->fields[old_name(other)])) {
    sv_report_add(r->report, SV_INCOMPLETE_PAIR, sv_field_name(field), sv_none,
                  sv_none, "needs %s beside it; give both frames or neither",
                  sv_field_name(other));
  }
}

static void check_mode(const request *r, sv_field field) {
  char list[LIST_SIZE] = "";
  for (int reference = SV_IMAGES; reference <= SV_AUDIOS; reference++) {
    if (has_references(r, (sv_field)reference)) {
      add_word(list, sv_field_name((sv_field)reference));
    }
  }
  if (list[0] != '\0') {
    sv_report_add(r->report, SV_CONFLICT, sv_field_name(field), sv_none,
                  sv_none,
                  "cannot be combined with %s; give either the two frames or "
                  "references", list);
  }
}

static void check_alias(const request *r, sv_field old, sv_field frame) {
  const sv_value *old_url = sv_medium_url(r->fields[old]);
  const sv_value *url = sv_medium_url(r->fields[frame]);
  if (!old_url || !url) {
    return;
  }
  if (old_url->as.text.length == url->as.text.length &&
      memcmp(old_url->as.text.at, url->as.text.at, url->as.text.length) == 0) {
    return;
  }
  sv_report_add(r->report, SV_CONFLICT, sv_field_name(old), sv_none, sv_none,
                "is the old name of %s, and they differ; keep %s alone",
                sv_field_name(frame), sv_field_name(frame));
}

/* What concerns both frames is told once, at the first field that fills
** one. */
static void check_frame(const request *r, sv_field field) {
  bool first = field == SV_FIRST_IMAGE || field == SV_OLD_FIRST_IMAGE;
  sv_field frame = first ? SV_FIRST_IMAGE : SV_LAST_IMAGE;
  sv_field other = first ? SV_LAST_IMAGE : SV_FIRST_IMAGE;
  sv_field filled = filled_by(r, other);
  if (r->fields[field]->kind == SV_ABSENT) {
    return;
  }
  sv_check_frame(r->fields[field], sv_field_name(field), &r->model->images,
                 r->report);
  if (field != frame) {
    check_alias(r, field, frame);
  }
  if (filled_by(r, frame) != field) {
    return;
  }
  check_pair(r, field, other);
  if (filled >= field) {
    check_mode(r, field);
  }
}

/* referenceImages, referenceVideos, referenceAudios */

static void check_references(const request *r, sv_field field) {
  const sv_media_limits *limits = field == SV_IMAGES   ? &r->model->images
                                  : field == SV_VIDEOS ? &r->model->videos
                                                       : &r->model->audios;
  if (r->fields[field]->kind != SV_ABSENT) {
    sv_check_references(r->fields[field], sv_field_name(field), limits,
                        has_references(r, SV_VIDEOS), r->report);
  }
}

/* all of them */

static void report_not_supported(const request *r, sv_field field) {
  const char *name = sv_field_name(field);
  sv_field frame =
      field == SV_OLD_FIRST_IMAGE ? SV_FIRST_IMAGE : SV_LAST_IMAGE;
  if ((field == SV_OLD_FIRST_IMAGE || field == SV_OLD_LAST_IMAGE) &&
      sv_takes(r->model, frame)) {
    sv_report_add(r->report, SV_NOT_SUPPORTED, name, sv_none, sv_none,
                  "is not a field of %s; write %s", r->model_name,
                  sv_field_name(frame));
  } else {
    sv_report_add(r->report, SV_NOT_SUPPORTED, name, sv_none, sv_none,
                  "is not a field of %s; leave it out", r->model_name);
  }
}

static bool is_empty(const request *r, sv_field field) {
  const sv_value *value = r->fields[field];
  return value->kind == SV_ABSENT ||
         (field >= SV_IMAGES && value->kind == SV_TABLE &&
          !value->as.entries);
}

static void check_fields(const request *r) {
  static void (*const checks[SV_FIELD_COUNT])(const request *, sv_field) = {
      [SV_MODEL] = check_model,          [SV_PROMPT] = check_prompt,
      [SV_DURATION] = check_duration,    [SV_RATIO] = check_choice,
      [SV_RESOLUTION] = check_choice,    [SV_FIRST_IMAGE] = check_frame,
      [SV_LAST_IMAGE] = check_frame,     [SV_OLD_FIRST_IMAGE] = check_frame,
      [SV_OLD_LAST_IMAGE] = check_frame, [SV_IMAGES] = check_references,
      [SV_VIDEOS] = check_references,    [SV_AUDIOS] = check_references,
  };
  for (unsigned i = 0; i < SV_FIELD_COUNT; i++) {
    sv_field field = (sv_field)i;
    if (sv_takes(r->model, field)) {
      checks[i](r, field);
    } else if (!is_empty(r, field)) {
      report_not_supported(r, field);
    }
  }
}

static void report_unknown(const request *r, const sv_value *key) {
  sv_guess guess = {"", 0, NULL, 0};
  char shown[SV_SHOWN];
  if (key->kind == SV_TEXT) {
    guess.word = key->as.text.at;
    guess.length = key->as.text.length;
  }
  for (unsigned i = 0; i < SV_FIELD_COUNT; i++) {
    sv_guess_offer(&guess, sv_field_name((sv_field)i));
  }
  sv_show_key(shown, key);
  if (guess.best) {
    sv_report_add(r->report, SV_UNKNOWN_FIELD, shown, sv_none, sv_none,
                  "is not a known field; did you mean %s?", guess.best);
  } else {
    sv_report_add(r->report, SV_UNKNOWN_FIELD, shown, sv_none, sv_none,
                  "is not a known field; leave it out");
  }
}

static void check_unknown(const request *r, sv_params *params) {
  params->entries = sv_order(params->entries);
  for (const sv_entry *entry = params->entries; entry; entry = entry->next) {
    if (sv_field_find(&entry->key) == SV_FIELD_COUNT) {
      report_unknown(r, &entry->key);
    }
  }
}

bool sv_looks_into(const sv_value *key) {
  sv_field field = sv_field_find(key);
  return field >= SV_FIRST_IMAGE && field < SV_FIELD_COUNT;
}

void sv_validate(const sv_catalog *catalog, sv_params *params,
                 sv_report *report) {
  request r;
  r.catalog = catalog;
  r.report = report;
  r.absent = sv_none;
  r.unknown = 0;
  for (unsigned i = 0; i < SV_FIELD_COUNT; i++) {
    r.fields[i] = &r.absent;
  }
  for (sv_entry *entry = params->entries; entry; entry = entry->next) {
    sv_field field = sv_field_find(&entry->key);
    if (field < SV_FIELD_COUNT) {
      r.fields[field] = &entry->value;
    } else {
      r.unknown++;
    }
  }
  r.model = sv_catalog_find(catalog, r.fields[SV_MODEL]);
  r.model_name = r.model ? r.model->name : NULL;
  if (!r.model) {
    r.model = &any_model;
  }
  check_fields(&r);
  if (r.unknown > 0) {
    check_unknown(&r, params);
  }
}
