#include "rules/validate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "rules/media.h"
#include "rules/text.h"

#include "rules/visibility.h"

/* One request under validation. */
typedef struct checked {
  const sv_catalog *catalog;
  const sv_model *model;
  const char *model_name;           /* NULL where the model is not known */
  sv_value *fields[SV_FIELD_COUNT]; /* never NULL */
  sv_value absent;
  size_t unknown; /* how many entries are no field at all */
  /* Of a prompt that is a text, which may be long and is judged by each
  ** edition: whether it is UTF-8; its characters, or its bytes up to the first
  ** that is wrong. */
  bool is_utf8;
  size_t points;
  sv_report *report;
} checked;

/* Each kind of field (field.h) has one, which looks at a field that the model
** takes, present or not, and reports its faults. */
typedef void check(const checked *request, sv_field field);

/* Holds a choice's values or a catalog's names; what is longer is cut. */
#define LIST_SIZE 480

/* Neither absent nor null. */
static bool is_given(const sv_value *value) {
  return value->kind != SV_ABSENT && value->kind != SV_NULL;
}

/* Whether there is anything in an array that the model takes. */
static bool has_references(const checked *r, sv_field field) {
  const sv_value *list = r->fields[field];
  return sv_takes(r->model, field) && is_given(list) &&
         (list->kind != SV_TABLE || list->as.entries);
}

/* Puts a word behind a list of words; dots, once, for which there is always
** room, where it leaves none. */
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

/* --- model ------------------------------------------------------------- */

static void list_models(const sv_catalog *catalog, char list[LIST_SIZE]) {
  list[0] = '\0';
  for (size_t i = 0; i < catalog->count; i++) {
    add_word(list, catalog->models[i]->name);
  }
}

static const char *nearest_model(const sv_catalog *catalog,
                                 const sv_value *name) {
  sv_guess guess = sv_guess_of(name);
  for (size_t i = 0; i < catalog->count; i++) {
    sv_guess_offer(&guess, catalog->models[i]->name);
  }
  return guess.best;
}

static void report_unknown_model(const checked *r, const sv_value *name) {
  const char *nearest = nearest_model(r->catalog, name);
  const sv_model *elsewhere = sv_built_in(name);
  char list[LIST_SIZE], shown[SV_SHOWN];
  sv_value limit, actual;
  list_models(r->catalog, list);
  limit = sv_text(list);
  actual = sv_text(sv_show(shown, name->as.text.at, name->as.text.length));
  if (elsewhere) {
    sv_report_add(r->report, SV_UNKNOWN_MODEL, "model", limit, actual,
                  "%s is in the edition %s, not in %s; use one of %s", shown,
                  sv_edition_of(elsewhere), r->catalog->edition, list);
  } else if (nearest) {
    sv_report_add(r->report, SV_UNKNOWN_MODEL, "model", limit, actual,
                  "\"%s\" is not known; did you mean %s?", shown, nearest);
  } else {
    sv_report_add(r->report, SV_UNKNOWN_MODEL, "model", limit, actual,
                  "\"%s\" is not known; use one of %s", shown, list);
  }
}

static void check_model(const checked *r, sv_field field) {
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

/* --- prompt ------------------------------------------------------------ */

static void check_prompt(const checked *r, sv_field field) {
  const sv_value *prompt = r->fields[field];
  double max = r->model->prompt.max;
  if (prompt->kind == SV_ABSENT) {
    sv_report_add(r->report, SV_REQUIRED, "prompt", sv_none, sv_none,
                  "is required; say in words what the video is to show");
  } else if (prompt->kind != SV_TEXT) {
    sv_report_type(r->report, "prompt", "a string", prompt);
  } else if (!r->is_utf8) {
    sv_report_add(r->report, SV_ENCODING, "prompt", sv_none, sv_none,
                  "must be valid UTF-8; byte %.0f is not",
                  (double)r->points + 1);
  } else if (sv_is_blank(prompt->as.text.at, prompt->as.text.length)) {
    sv_report_add(r->report, SV_REQUIRED, "prompt", sv_none, sv_none,
                  "must not be blank; say in words what the video is to show");
  } else if (max > 0 && (double)r->points > max) {
    sv_report_add(r->report, SV_TOO_LONG, "prompt", sv_number(max),
                  sv_number((double)r->points),
                  "may have at most %.0f characters; got %.0f", max,
                  (double)r->points);
  }
}

/* --- duration ---------------------------------------------------------- */

/* The reference list that sets duration and ratio of the output, or NULL. */
static const char *output_setter(const checked *r) {
  const struct {
    sv_field field;
    bool sets;
  } lists[] = {
#define SV_REFERENCE(id, name, kind, member, ...) \
  {SV_##id, r->model->member.sets_output},
#include "rules/products.inc"
  };
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    if (lists[i].sets && has_references(r, lists[i].field)) {
      return sv_field_name(lists[i].field);
    }
  }
  return NULL;
}

/* What the output takes from a reference that sets it. */
#define SET_BY_REFERENCES (SV_BIT(SV_DURATION) | SV_BIT(SV_RATIO))

static bool is_ignored(const checked *r, sv_field field) {
  const char *setter =
      sv_is_in(field, SET_BY_REFERENCES) ? output_setter(r) : NULL;
  if (setter) {
    sv_report_add(r->report, SV_IGNORED_FIELD, sv_field_name(field), sv_none,
                  sv_none,
                  "is ignored by %s beside %s, which sets it; it is not sent",
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

static void report_duration(const checked *r, sv_code code, sv_value limit,
                            double given) {
  char wanted[LIST_SIZE], shown[SV_SHOWN];
  describe_duration(r->model, wanted);
  sv_report_add(r->report, code, "duration", limit, sv_number(given),
                "must be %s; got %s", wanted, sv_show_number(shown, given));
}

static void check_advice(const checked *r, double given) {
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

static void check_seconds(const checked *r, double given) {
  double min = r->model->duration.min > 0 ? r->model->duration.min : 1;
  double max = r->model->duration.max;
  if (isfinite(given) && is_ignored(r, SV_DURATION)) {
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

/* Where there is no number. */
static void report_no_duration(const checked *r, const sv_value *duration) {
  char wanted[LIST_SIZE];
  describe_duration(r->model, wanted);
  if (duration->kind != SV_ABSENT) {
    sv_report_type(r->report, "duration", wanted, duration);
  } else if (r->model->duration.required && !output_setter(r)) {
    sv_report_add(r->report, SV_REQUIRED, "duration", sv_none, sv_none,
                  "is required: %s", wanted);
  }
}

static void check_duration(const checked *r, sv_field field) {
  const sv_value *duration = r->fields[field];
  if (duration->kind == SV_NUMBER) {
    check_seconds(r, duration->as.number);
  } else if (duration->kind == SV_TEXT && is_digits(duration)) {
    sv_report_add(r->report, SV_TYPE, "duration", sv_none, sv_text("string"),
                  "must be a number; write %.*s without quotes",
                  (int)duration->as.text.length, duration->as.text.at);
  } else {
    report_no_duration(r, duration);
  }
}

/* --- ratio, resolution ------------------------------------------------- */

static bool offers(const sv_choice_limits *choice, const sv_value *value) {
  size_t i;
  for (i = 0; choice->values[i]; i++) {
    if (sv_is_text(value, choice->values[i])) {
      return true;
    }
  }
  return i == 0;
}

static void report_choice(const checked *r, const char *name,
                          const sv_choice_limits *choice,
                          const sv_value *value) {
  char list[LIST_SIZE] = "", shown[SV_SHOWN];
  size_t i;
  for (i = 0; choice->values[i]; i++) {
    add_word(list, choice->values[i]);
  }
  sv_show(shown, value->as.text.at, value->as.text.length);
  sv_report_add(r->report, SV_UNSUPPORTED_VALUE, name, sv_text(list),
                sv_text(shown), "must be %s%s; got \"%s\"",
                i > 1 ? "one of " : "", list, shown);
}

static void check_choice(const checked *r, sv_field field) {
  const sv_choice_limits *choice = sv_limits(r->model, field);
  const sv_value *value = r->fields[field];
  const char *name = sv_field_name(field);
  if (value->kind == SV_ABSENT) {
    return;
  }
  if (value->kind != SV_TEXT) {
    sv_report_type(r->report, name, "a string", value);
  } else if (!is_ignored(r, field) && !offers(choice, value)) {
    report_choice(r, name, choice, value);
  }
}

/* --- frames, by their names and their old ones -------------------------- */

/* The old name of a frame, or of what is one. */
static sv_field old_name(sv_field frame) {
  return sv_field_renamed(frame) == SV_FIRST_IMAGE ? SV_OLD_FIRST_IMAGE
                                                   : SV_OLD_LAST_IMAGE;
}

/* The field that fills a frame: the new name where both are given. */
static sv_field filled_by(const checked *r, sv_field frame) {
  sv_field old = old_name(frame);
  if (is_given(r->fields[frame])) {
    return frame;
  }
  bool by_old = is_given(r->fields[old]) && sv_takes(r->model, old);
  return by_old ? old : SV_FIELD_COUNT;
}

/* Where a model does not take the old names, one of them is a fault of its
** own; once that is corrected the pair is complete. */
static void check_pair(const checked *r, sv_field field, sv_field other) {
  if (filled_by(r, other) == SV_FIELD_COUNT &&
      !is_given(r->fields[old_name(other)])) {
    sv_report_add(r->report, SV_INCOMPLETE_PAIR, sv_field_name(field), sv_none,
                  sv_none, "needs %s beside it; give both frames or neither",
                  sv_field_name(other));
  }
}

static void check_mode(const checked *r, sv_field field) {
  char list[LIST_SIZE] = "";
  for (unsigned i = 0; i < SV_FIELD_COUNT; i++) {
    sv_field reference = (sv_field)i;
    if (sv_is_in(reference, SV_REFERENCE_FIELDS) &&
        has_references(r, reference)) {
      add_word(list, sv_field_name(reference));
    }
  }
  if (list[0] != '\0') {
    sv_report_add(r->report, SV_CONFLICT, sv_field_name(field), sv_none,
                  sv_none,
                  "cannot be combined with %s; give either the two frames or "
                  "references", list);
  }
}

static void check_alias(const checked *r, sv_field old, sv_field frame) {
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

/* What concerns both frames is reported once, at the first field that fills
** one. */
static void check_frame(const checked *r, sv_field field) {
  sv_field frame = sv_field_renamed(field), other = sv_field_partner(field);
  sv_field filled = filled_by(r, other);
  /* No document limits frames: those of reference images are a hint. */
  sv_media_limits limits = r->model->images;
  limits.is_advice = true;
  if (r->fields[field]->kind == SV_ABSENT) {
    return;
  }
  sv_medium_check(r->fields[field], sv_field_name(field), &limits, r->report);
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

static void check_old_frame(const checked *r, sv_field field) {
  check_frame(r, field);
}

/* --- references --------------------------------------------------------- */

/* No document forbids it; programs in use report it. */
static void check_alone(const checked *r) {
  if (r->model_name && has_references(r, SV_AUDIOS) &&
      !has_references(r, SV_IMAGES) && !has_references(r, SV_VIDEOS) &&
      filled_by(r, SV_FIRST_IMAGE) == SV_FIELD_COUNT &&
      filled_by(r, SV_LAST_IMAGE) == SV_FIELD_COUNT) {
    sv_report_add(r->report, SV_ADVISORY, sv_field_name(SV_AUDIOS), sv_none,
                  sv_none,
                  "may be refused: some programs report that a sound alone "
                  "is; give a reference image or video beside it");
  }
}

static void check_media(const checked *r, sv_field field) {
  if (r->fields[field]->kind != SV_ABSENT) {
    sv_media_check(r->fields[field], sv_field_name(field),
                   sv_limits(r->model, field),
                   has_references(r, SV_VIDEOS), r->report);
  }
  if (field == SV_AUDIOS) {
    check_alone(r);
  }
}

/* --- all of them ---------------------------------------------------------- */

/* Stands in for a model that is not known: what it refuses, all refuse. */
static const sv_model any_model = {
    .takes = SV_ALL_FIELDS,
    .frames = {.legacy_aliases = true},
};

static void report_not_supported(const checked *r, sv_field field) {
  const char *name = sv_field_name(field);
  sv_field now = sv_field_renamed(field);
  if (now != field && sv_takes(r->model, now)) {
    sv_report_add(r->report, SV_NOT_SUPPORTED, name, sv_none, sv_none,
                  "is not a field of %s; write %s", r->model_name,
                  sv_field_name(now));
  } else {
    sv_report_add(r->report, SV_NOT_SUPPORTED, name, sv_none, sv_none,
                  "is not a field of %s; leave it out", r->model_name);
  }
}

static bool is_empty(const checked *r, sv_field field) {
  const sv_value *value = r->fields[field];
  return value->kind == SV_ABSENT ||
         (sv_is_in(field, SV_REFERENCE_FIELDS) && value->kind == SV_TABLE &&
          !value->as.entries);
}

static void check_fields(const checked *r) {
  static check *const checks[] = {
#define SV_FIELD(id, name, kind, ...) check_##kind,
#include "rules/products.inc"
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

static bool is_refused(const sv_report *report, const char *field) {
  for (size_t i = 0; i < report->kept; i++) {
    if (report->issues[i].code < SV_FIRST_WARNING &&
        strcmp(report->issues[i].field, field) == 0) {
      return true;
    }
  }
  return false;
}

/* Where editions disagree the newest text decides, and what another refuses
** is a warning. */
static void check_other_edition(const checked *r) {
  sv_report found = {0};
  checked other = *r;
  other.model = r->model->other;
  other.report = &found;
  check_fields(&other);
  for (size_t i = 0; i < found.kept; i++) {
    const sv_issue *issue = &found.issues[i];
    if (issue->code < SV_FIRST_WARNING &&
        !is_refused(r->report, issue->field)) {
      sv_report_add(r->report, SV_ADVISORY, issue->field, issue->limit,
                    issue->actual, "may be refused: in the edition %s it %s",
                    sv_edition_of(other.model),
                    issue->message + strlen(issue->field) + 1);
    }
  }
  r->report->out_of_memory |= found.out_of_memory;
  sv_report_close(&found);
}

static void report_unknown(const checked *r, const sv_value *key) {
  sv_guess guess = sv_guess_of(key);
  char shown[SV_SHOWN];
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

static void check_unknown(const checked *r, sv_params *params) {
  params->entries = sv_order(params->entries);
  for (const sv_entry *entry = params->entries; entry; entry = entry->next) {
    if (sv_field_find(&entry->key) == SV_FIELD_COUNT) {
      report_unknown(r, &entry->key);
    }
  }
}

bool sv_looks_into(const sv_value *key) {
  sv_field field = sv_field_find(key);
  return sv_is_in(field, SV_FRAME_FIELDS | SV_OLD_FRAME_FIELDS |
                             SV_REFERENCE_FIELDS);
}

void sv_validate(const sv_catalog *catalog, sv_params *params,
                 sv_report *report) {
  checked r = {.catalog = catalog, .report = report, .absent = sv_none};
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
  const sv_value *prompt = r.fields[SV_PROMPT];
  if (prompt->kind == SV_TEXT) {
    r.is_utf8 = sv_utf8_count(prompt->as.text.at, prompt->as.text.length,
                              &r.points);
  }
  r.model = sv_catalog_find(catalog, r.fields[SV_MODEL]);
  r.model_name = r.model ? r.model->name : NULL;
  if (!r.model) {
    r.model = &any_model;
  }
  check_fields(&r);
  if (r.model->other) {
    check_other_edition(&r);
  }
  if (r.unknown > 0) {
    check_unknown(&r, params);
  }
}
