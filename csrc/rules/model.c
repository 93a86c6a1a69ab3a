#include "rules/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rules/text.h"

#include "rules/visibility.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- the shape of a row ------------------------------------------------ */

static const sv_row_key row_keys[] = {
    {"name", SV_ROW_TEXT, offsetof(sv_model, name)},
    {"endpoint", SV_ROW_TEXT, offsetof(sv_model, endpoint)},
    {"editions", SV_ROW_EDITIONS, offsetof(sv_model, editions)},
    {"billing", SV_ROW_PHRASE, offsetof(sv_model, billing)},
    {"best_for", SV_ROW_PHRASE, offsetof(sv_model, best_for)},
};

static const sv_row_key prompt_keys[] = {
    {"max", SV_ROW_NUMBER, 0},
};

static const sv_row_key duration_keys[] = {
    {"required", SV_ROW_FLAG, offsetof(sv_duration_limits, required)},
    {"min", SV_ROW_NUMBER, offsetof(sv_duration_limits, min)},
    {"max", SV_ROW_NUMBER, offsetof(sv_duration_limits, max)},
    {"default", SV_ROW_NUMBER, offsetof(sv_duration_limits, standard)},
    {"advised", SV_ROW_NUMBERS, offsetof(sv_duration_limits, advised)},
};

static const sv_row_key choice_keys[] = {
    {"values", SV_ROW_TEXTS, offsetof(sv_choice_limits, values)},
    {"default", SV_ROW_TEXT, offsetof(sv_choice_limits, standard)},
};

static const sv_row_key frame_keys[] = {
    {"legacy_aliases", SV_ROW_FLAG, 0},
};

#define MEDIA_KEY(kind, member) \
  { #member, kind, offsetof(sv_media_limits, member) }

static const sv_row_key media_keys[] = {
    MEDIA_KEY(SV_ROW_NUMBER, max),
    MEDIA_KEY(SV_ROW_NUMBER, max_with_video),
    MEDIA_KEY(SV_ROW_NUMBER, max_bytes),
    MEDIA_KEY(SV_ROW_FLAG, below),
    MEDIA_KEY(SV_ROW_NUMBER, total_bytes),
    MEDIA_KEY(SV_ROW_NUMBER, total_duration),
    MEDIA_KEY(SV_ROW_NUMBER, min_duration),
    MEDIA_KEY(SV_ROW_NUMBER, max_duration),
    MEDIA_KEY(SV_ROW_NUMBER, min_pixels),
    MEDIA_KEY(SV_ROW_NUMBER, max_pixels),
    MEDIA_KEY(SV_ROW_FLAG, sets_output),
};

#define GROUP(id, name, kind, member, ...) \
  {name, SV_BIT(SV_##id), offsetof(sv_model, member), kind##_keys, \
   COUNT(kind##_keys)},

const sv_row_group sv_row_groups[] = {
    {NULL, 0, 0, row_keys, COUNT(row_keys)},
#define SV_SCALAR GROUP
#include "rules/products.inc"
    {"frames", SV_FRAME_FIELDS, offsetof(sv_model, frames), frame_keys,
     COUNT(frame_keys)},
#define SV_REFERENCE GROUP
#include "rules/products.inc"
};

const size_t sv_row_group_count = COUNT(sv_row_groups);

const void *sv_limits(const sv_model *model, sv_field field) {
  static const size_t places[SV_FIELD_COUNT] = {
#define SV_SCALAR(id, name, kind, member, ...) \
  [SV_##id] = offsetof(sv_model, member),
#define SV_REFERENCE SV_SCALAR
#include "rules/products.inc"
  };
  return (const char *)model + places[field];
}

/* --- editions ---------------------------------------------------------- */

static const char *const edition_names[] = {
#define X(id, name) name,
    SV_EDITIONS(X)
#undef X
};

const char *sv_edition_name(sv_edition edition) {
  return edition_names[edition];
}

const char *sv_edition_of(const sv_model *model) {
  int edition = 0;
  while (!(model->editions & SV_BIT(edition))) {
    edition++;
  }
  return sv_edition_name((sv_edition)edition);
}

sv_edition sv_edition_find(const sv_value *name) {
  unsigned edition = 0;
  while (edition < SV_EDITION_COUNT &&
         !sv_is_text(name, edition_names[edition])) {
    edition++;
  }
  return (sv_edition)edition;
}

/* --- what a row may say ------------------------------------------------ */

bool sv_takes(const sv_model *model, sv_field field) {
  if (field == SV_MODEL) {
    return true;
  }
  if (sv_is_in(field, SV_OLD_FRAME_FIELDS)) {
    return model->takes & SV_FRAME_FIELDS && model->frames.legacy_aliases;
  }
  return sv_is_in(field, model->takes);
}

bool sv_is_word(const char *text, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (text[i] <= ' ' || text[i] > '~') {
      return false;
    }
  }
  return length > 0 && length <= SV_MAX_WORD;
}

bool sv_is_phrase(const char *text, size_t length) {
  size_t points;
  for (size_t i = 0; i < length; i++) {
    if ((text[i] >= 0 && text[i] < ' ') || text[i] == '\x7F') {
      return false;
    }
  }
  return length > 0 && length <= SV_MAX_WORD &&
         sv_utf8_count(text, length, &points);
}

bool sv_is_limit(double number) {
  return isfinite(number) && number > 0;
}

static bool offers(const sv_choice_limits *choice) {
  if (!choice->standard || !choice->values[0]) {
    return true;
  }
  for (size_t i = 0; choice->values[i]; i++) {
    if (strcmp(choice->values[i], choice->standard) == 0) {
      return true;
    }
  }
  return false;
}

static bool crossed(double min, double max) {
  return max > 0 && min > max;
}

static bool media_crossed(const sv_media_limits *limits) {
  return crossed(limits->min_duration, limits->max_duration) ||
         crossed(limits->min_pixels, limits->max_pixels);
}

static bool standard_outside(const sv_duration_limits *limits) {
  return limits->standard > 0 && (limits->standard < limits->min ||
                                  crossed(limits->standard, limits->max));
}

/* What can be wrong with the limits of a field, by its kind. */
#define FAULTS_OF_prompt(name, limits)
#define FAULTS_OF_duration(name, limits) \
  {crossed(limits.min, limits.max), name ".min is above " name ".max"}, \
  {standard_outside(&limits), \
   name ".default is outside of " name ".min and " name ".max"},
#define FAULTS_OF_choice(name, limits) \
  {!offers(&limits), name ".default is none of " name ".values"},
#define FAULTS_OF_media(name, limits) \
  {media_crossed(&limits), name " has a min that is above its max"},

const char *sv_row_fault(const sv_model *row) {
  const struct {
    bool wrong;
    const char *what;
  } faults[] = {
      {!row->name, "name is missing"},
      {!row->endpoint, "endpoint is missing"},
      {row->endpoint && row->endpoint[0] != '/',
       "endpoint must begin with /"},
#define SV_SCALAR(id, name, kind, member, ...) \
  FAULTS_OF_##kind(name, row->member)
#define SV_REFERENCE SV_SCALAR
#include "rules/products.inc"
  };
  for (size_t i = 0; i < COUNT(faults); i++) {
    if (faults[i].wrong) {
      return faults[i].what;
    }
  }
  return NULL;
}

/* --- the catalog --------------------------------------------------------- */

static const sv_model rows[] = {
#define SV_MODEL(...) {__VA_ARGS__},
#include "rules/products.inc"
};

/* Copies the texts of a row to where `to` points and makes the row point
** there; with NULL only measures them. Returns their bytes. */
static size_t move_texts(sv_model *row, char *to) {
  size_t bytes = 0, g, k, i;
  for (g = 0; g < sv_row_group_count; g++) {
    const sv_row_group *group = &sv_row_groups[g];
    for (k = 0; k < group->count; k++) {
      const sv_row_key *key = &group->keys[k];
      bool is_text =
          key->kind == SV_ROW_TEXT || key->kind == SV_ROW_PHRASE;
      size_t most = key->kind == SV_ROW_TEXTS ? SV_MAX_CHOICES : is_text;
      const char **texts =
          (const char **)(void *)((char *)row + group->place + key->place);
      for (i = 0; i < most && texts[i]; i++) {
        size_t size = strlen(texts[i]) + 1;
        if (to) {
          texts[i] = memcpy(to + bytes, texts[i], size);
        }
        bytes += size;
      }
    }
  }
  return bytes;
}

static sv_model *copy_row(const sv_model *row) {
  sv_model measured = *row;
  sv_model *copy = malloc(sizeof *copy + move_texts(&measured, NULL));
  if (!copy) {
    return NULL;
  }
  *copy = *row;
  copy->takes |= SV_BIT(SV_PROMPT);
  move_texts(copy, (char *)(copy + 1));
  return copy;
}

static size_t find(const sv_catalog *catalog, const sv_value *name) {
  size_t i = 0;
  while (i < catalog->count && !sv_is_text(name, catalog->models[i]->name)) {
    i++;
  }
  return i;
}

bool sv_catalog_add(sv_catalog *catalog, const sv_model *row) {
  sv_value name = sv_text(row->name);
  size_t at = find(catalog, &name);
  sv_model *copy = copy_row(row);
  if (!copy) {
    return false;
  }
  if (at < catalog->count) {
    free(catalog->models[at]);
  } else {
    sv_model **models =
        realloc(catalog->models, (at + 1) * sizeof *models);
    if (!models) {
      free(copy);
      return false;
    }
    catalog->models = models;
    catalog->count++;
  }
  catalog->models[at] = copy;
  return true;
}

bool sv_catalog_open(sv_catalog *catalog, sv_edition edition) {
  bool any = edition >= SV_EDITION_COUNT;
  catalog->edition = any ? NULL : sv_edition_name(edition);
  for (size_t i = 0; i < COUNT(rows); i++) {
    sv_value name = sv_text(rows[i].name);
    size_t at = find(catalog, &name);
    if (!any && !(rows[i].editions & SV_BIT(edition))) {
      continue;
    }
    if (at < catalog->count) {
      catalog->models[at]->other = &rows[i];
    } else if (!sv_catalog_add(catalog, &rows[i])) {
      return false;
    }
  }
  return true;
}

void sv_catalog_close(sv_catalog *catalog) {
  for (size_t i = 0; i < catalog->count; i++) {
    free(catalog->models[i]);
  }
  free(catalog->models);
  catalog->models = NULL;
  catalog->count = 0;
}

const sv_model *sv_catalog_find(const sv_catalog *catalog,
                                const sv_value *name) {
  size_t at = find(catalog, name);
  return at < catalog->count ? catalog->models[at] : NULL;
}

const sv_model *sv_built_in(const sv_value *name) {
  for (size_t i = 0; i < COUNT(rows); i++) {
    if (sv_is_text(name, rows[i].name)) {
      return &rows[i];
    }
  }
  return NULL;
}
