#include "rules/field.h"

#include <string.h>

#include "rules/visibility.h"

static const struct {
  const char *name, *kind, *label, *help;
  size_t length; /* of the name, which is looked up for each key of a request */
} rows[] = {
#define SV_FIELD(id, name, kind, more, label, help) \
  {name, #kind, label, help, sizeof name - 1},
#include "rules/products.inc"
};

_Static_assert(SV_FIELD_COUNT < 8 * sizeof(unsigned),
               "a set of fields, and of all and one more, is an unsigned");

/* A kind in a list of others does not compile. */
enum { SCALAR_prompt, SCALAR_duration, SCALAR_choice, REFERENCES_media };
#define SV_SCALAR(id, name, kind, ...) \
  _Static_assert(SCALAR_##kind >= 0, name " is a scalar");
#define SV_REFERENCE(id, name, kind, ...) \
  _Static_assert(REFERENCES_##kind >= 0, name " is a list of references");
#include "rules/products.inc"

bool sv_is_in(sv_field field, unsigned fields) {
  return (fields >> field & 1) != 0;
}

const char *sv_field_name(sv_field field) {
  return rows[field].name;
}

const char *sv_field_kind(sv_field field) {
  return rows[field].kind;
}

const char *sv_field_label(sv_field field) {
  return rows[field].label;
}

const char *sv_field_help(sv_field field) {
  return rows[field].help;
}

sv_field sv_field_find(const sv_value *name) {
  unsigned field = 0;
  if (name->kind != SV_TEXT) {
    return SV_FIELD_COUNT;
  }
  while (field < SV_FIELD_COUNT &&
         (name->as.text.length != rows[field].length ||
          memcmp(name->as.text.at, rows[field].name, rows[field].length))) {
    field++;
  }
  return (sv_field)field;
}

sv_field sv_field_renamed(sv_field field) {
  switch (field) {
#define SV_OLD_FRAME(id, name, kind, frame, ...) \
  case SV_##id: \
    return SV_##frame;
#include "rules/products.inc"
    default:
      return field;
  }
}

sv_field sv_field_partner(sv_field frame) {
  switch (sv_field_renamed(frame)) {
#define SV_FRAME(id, name, kind, other, ...) \
  case SV_##id: \
    return SV_##other;
#include "rules/products.inc"
    default:
      return SV_FIELD_COUNT;
  }
}
