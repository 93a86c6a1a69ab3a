#include "rules/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "rules/visibility.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

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
      size_t most = key->kind == SV_ROW_TEXTS  ? SV_MAX_CHOICES
                    : key->kind == SV_ROW_TEXT ? 1
                                               : 0;
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
    if ((any || rows[i].editions & SV_BIT(edition)) &&
        !sv_catalog_find(catalog, &name) &&
        !sv_catalog_add(catalog, &rows[i])) {
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
