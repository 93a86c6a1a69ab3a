/*
** A request against the catalog: every fault at once, in the order of
** products.inc, then the unknown fields bytewise. Allocates only to note a
** fault.
*/
#ifndef SV_RULES_VALIDATE_H
#define SV_RULES_VALIDATE_H

#include "rules/model.h"
#include "rules/report.h"
#include "rules/value.h"

/* The fields of a request as the host's table has them. */
typedef struct sv_params {
  sv_entry *entries;
} sv_params;

/* Whether the rules look into a table that stands under this key. A host
** need not convert the insides of any other. */
bool sv_looks_into(const sv_value *key);

/* Adds to report what is wrong with params. Relinks the entries of params in
** order where order matters, and changes nothing else. A request for no known
** model is checked for all that holds for every model. */
void sv_validate(const sv_catalog *catalog, sv_params *params,
                 sv_report *report);

#endif
