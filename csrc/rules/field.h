/*
** The fields of a request, as products.inc lists them. The rest is drawn from
** it: the order of the faults, the limits in a model (model.h), the check of
** each field (validate.c; a kind without one does not compile), and core.fields()
** for Lua.
*/
#ifndef SV_RULES_FIELD_H
#define SV_RULES_FIELD_H

#include <stdbool.h>

#include "rules/value.h"

typedef enum sv_field {
#define SV_FIELD(id, ...) SV_##id,
#include "rules/products.inc"
  SV_FIELD_COUNT
} sv_field;

/* Sets of fields. */
#define SV_BIT(id) (1u << (id))
#define SV_ALL_FIELDS (SV_BIT(SV_FIELD_COUNT) - 1)

enum {
  SV_FRAME_FIELDS = 0u
#define SV_FRAME(id, ...) | SV_BIT(SV_##id)
#include "rules/products.inc"
  ,
  SV_OLD_FRAME_FIELDS = 0u
#define SV_OLD_FRAME(id, ...) | SV_BIT(SV_##id)
#include "rules/products.inc"
  ,
  SV_REFERENCE_FIELDS = 0u
#define SV_REFERENCE(id, ...) | SV_BIT(SV_##id)
#include "rules/products.inc"
};

bool sv_is_in(sv_field field, unsigned fields);

const char *sv_field_name(sv_field field);
const char *sv_field_kind(sv_field field);

/* What people are shown of it: a name, and what it is. NULL of an old name. */
const char *sv_field_label(sv_field field);
const char *sv_field_help(sv_field field);

/* SV_FIELD_COUNT where there is none of that name. */
sv_field sv_field_find(const sv_value *name);

/* The frame that an old name stands for; any other field itself. */
sv_field sv_field_renamed(sv_field field);

/* The other frame of the pair, of a frame or of its old name. */
sv_field sv_field_partner(sv_field frame);

#endif
