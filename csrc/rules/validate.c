#include "rules/validate.h"

#include "rules/checks.h"
#include "rules/text.h"

#include "rules/visibility.h"

/* Stands in for a model that is not known: what it refuses, all refuse. */
static const sv_model any_model = {
    .takes = SV_ALL_FIELDS,
    .frames = {.legacy_aliases = true},
};

static void report_not_supported(const sv_checked *r, sv_field field) {
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

static bool is_empty(const sv_checked *r, sv_field field) {
  const sv_value *value = r->fields[field];
  return value->kind == SV_ABSENT ||
         (sv_is_in(field, SV_REFERENCE_FIELDS) && value->kind == SV_TABLE &&
          !value->as.entries);
}

static void check_fields(const sv_checked *r) {
  static sv_check *const checks[] = {
#define SV_FIELD(id, name, kind, ...) sv_check_##kind,
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

static void report_unknown(const sv_checked *r, const sv_value *key) {
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

static void check_unknown(const sv_checked *r, sv_params *params) {
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
  sv_checked r;
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
