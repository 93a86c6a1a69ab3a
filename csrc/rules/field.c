#include "rules/field.h"

#include <string.h>

#include "rules/visibility.h"

static const char *const names[] = {
#define X(id, name, kind, more) name,
    SV_FIELDS(X)
#undef X
};

/* A set of fields, and of all of them and one more, is an unsigned number; a
** length is kept in a byte. What does not hold does not compile. */
typedef char fields_fit_a_set[SV_FIELD_COUNT < 8 * sizeof(unsigned) ? 1 : -1];
#define X(id, name, kind, more) \
  typedef char id##_is_short[sizeof name <= 255 ? 1 : -1];
SV_FIELDS(X)
#undef X

/* Nor does a kind in a list of others. */
enum { SCALAR_prompt, SCALAR_duration, SCALAR_choice, REFERENCES_media };
#define X(id, name, kind, more) \
  typedef char id##_is_scalar[1 + 0 * SCALAR_##kind];
SV_SCALARS(X)
#undef X
#define X(id, name, kind, more) \
  typedef char id##_is_references[1 + 0 * REFERENCES_##kind];
SV_REFERENCES(X)
#undef X

const char *sv_field_name(sv_field field) {
  return names[field];
}

const char *sv_field_kind(sv_field field) {
  static const char *const kinds[] = {
#define X(id, name, kind, more) #kind,
      SV_FIELDS(X)
#undef X
  };
  return kinds[field];
}

/* Looked up for each key of each request, so the lengths are not counted each
** time. */
sv_field sv_field_find(const sv_value *name) {
  static const unsigned char lengths[] = {
#define X(id, name, kind, more) sizeof name - 1,
      SV_FIELDS(X)
#undef X
  };
  unsigned field = 0;
  if (name->kind != SV_TEXT) {
    return SV_FIELD_COUNT;
  }
  while (field < SV_FIELD_COUNT &&
         (name->as.text.length != lengths[field] ||
          memcmp(name->as.text.at, names[field], lengths[field]))) {
    field++;
  }
  return (sv_field)field;
}

sv_field sv_field_renamed(sv_field field) {
  switch (field) {
#define X(id, name, kind, frame) \
  case SV_##id: \
    return SV_##frame;
    SV_OLD_FRAMES(X)
#undef X
    default:
      return field;
  }
}

sv_field sv_field_partner(sv_field frame) {
  switch (sv_field_renamed(frame)) {
#define X(id, name, kind, other) \
  case SV_##id: \
    return SV_##other;
    SV_FRAMES(X)
#undef X
    default:
      return SV_FIELD_COUNT;
  }
}
