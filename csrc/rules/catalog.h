/*
** The models that are known: the built-in rows, which say what the provider's
** documents say, and further rows of the caller's.
*/
#ifndef SV_RULES_CATALOG_H
#define SV_RULES_CATALOG_H

#include "rules/model.h"
#include "rules/report.h"

/* Begin with all zero and sv_catalog_open; end with sv_catalog_close, whatever
** opening or adding said. Owns its rows. Read
** only, and fit for any thread, once the last row is added. */
typedef struct sv_catalog {
  const char *edition; /* NULL: for each model the newest text with it */
  sv_model **models;
  size_t count;
} sv_catalog;

/* False when memory ran out. edition: SV_EDITION_COUNT for all of them. */
bool sv_catalog_open(sv_catalog *catalog, sv_edition edition);

/* Adds a copy of a row, or puts it where the row of its name is. */
bool sv_catalog_add(sv_catalog *catalog, const sv_model *row);

void sv_catalog_close(sv_catalog *catalog);

/* NULL where there is none; the row lives as long as the catalog. */
const sv_model *sv_catalog_find(const sv_catalog *catalog,
                                const sv_value *name);

/* The built-in row of that name in any edition, or NULL. */
const sv_model *sv_built_in(const sv_value *name);

#endif
