/*
** What the checks of single fields share. For validate.c and the checks: each
** kind of field (field.h) has one, which looks at a field that the model
** takes, present or not, and reports its faults.
*/
#ifndef SV_RULES_CHECKS_H
#define SV_RULES_CHECKS_H

#include "rules/catalog.h"
#include "rules/report.h"

/* One request under validation. */
typedef struct sv_checked {
  const sv_catalog *catalog;
  const sv_model *model;
  const char *model_name;           /* NULL where the model is not known */
  sv_value *fields[SV_FIELD_COUNT]; /* never NULL */
  sv_value absent;
  size_t unknown; /* how many entries are no field at all */
  sv_report *report;
} sv_checked;

typedef void sv_check(const sv_checked *request, sv_field field);

sv_check sv_check_model, sv_check_prompt, sv_check_duration, sv_check_choice;
sv_check sv_check_frame, sv_check_old_frame, sv_check_media;

#endif
