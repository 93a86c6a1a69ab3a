/*
** A model and its limits, as a row of data: what the provider's documents say,
** or what a caller's own row does.
**
** A limit of 0 or NULL is no limit. Sizes are in bytes, lengths in seconds,
** prompts in code points. A row owns nothing; its texts are somebody else's.
*/
#ifndef SV_RULES_MODEL_H
#define SV_RULES_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/field.h"

/* Branded documentation of one backend; they disagree about some models. */
#define SV_EDITIONS(X) \
  X(XINGCHAO, "xingchao") \
  X(MINGYAN, "mingyan")

typedef enum sv_edition {
#define SV_EDITION(id, name) SV_##id,
  SV_EDITIONS(SV_EDITION)
#undef SV_EDITION
  SV_EDITION_COUNT
} sv_edition;

#define SV_MAX_CHOICES 16 /* values of one list in a row */
#define SV_MAX_WORD 128   /* bytes of a name, an endpoint or a value */

typedef struct sv_prompt_limits {
  double max;
} sv_prompt_limits;

typedef struct sv_duration_limits {
  bool required;
  double min, max;
  double standard;                    /* the server's default */
  double advised[SV_MAX_CHOICES + 1]; /* up to the first 0 */
} sv_duration_limits;

typedef struct sv_choice_limits {
  const char *values[SV_MAX_CHOICES + 1]; /* up to the first NULL */
  const char *standard;                   /* as of a duration */
} sv_choice_limits;

typedef struct sv_frame_limits {
  bool legacy_aliases;
} sv_frame_limits;

typedef struct sv_media_limits {
  double max;            /* entries */
  double max_with_video; /* entries where there is a reference video */
  double max_bytes;      /* of one */
  bool below;            /* max_bytes itself is too much */
  double total_bytes;
  double total_duration;
  double min_duration; /* of one */
  double max_duration;
  double min_pixels; /* of the shorter side of one */
  double max_pixels;
  bool sets_output; /* the output takes its duration and ratio from these */
  bool is_advice;   /* no key of a row: what is past a limit may be taken */
} sv_media_limits;

typedef struct sv_model {
  const char *name;
  const char *endpoint;
  unsigned editions; /* SV_BIT of each edition that lists it */
  const char *billing;  /* how it is paid; NULL where no document says it */
  const char *best_for; /* what the documents offer it for */
  unsigned takes;    /* SV_BIT of each field; sv_takes adds the old names */
#define SV_SCALAR(id, name, kind, member, ...) sv_##kind##_limits member;
#define SV_REFERENCE SV_SCALAR
#include "rules/products.inc"
  sv_frame_limits frames;
  /* What another edition says of the same model, where the catalog has the
  ** newest text of each; else NULL. No key of a row. */
  const struct sv_model *other;
} sv_model;

/* The limits of a scalar field, or of references, of its kind's type. */
const void *sv_limits(const sv_model *model, sv_field field);

/* The shape of a row, for reading and writing one: groups of keys, with the
** place of each in sv_model. The first group is the row itself. */
typedef enum sv_row_kind {
  SV_ROW_TEXT,
  SV_ROW_PHRASE,
  SV_ROW_TEXTS,
  SV_ROW_NUMBER,
  SV_ROW_NUMBERS,
  SV_ROW_FLAG,
  SV_ROW_EDITIONS
} sv_row_kind;

typedef struct sv_row_key {
  const char *name;
  sv_row_kind kind;
  size_t place; /* bytes from the start of the group */
} sv_row_key;

typedef struct sv_row_group {
  const char *name;
  unsigned takes; /* the fields that a row with this group takes */
  size_t place;   /* bytes from the start of sv_model */
  const sv_row_key *keys;
  size_t count;
} sv_row_group;

extern const sv_row_group sv_row_groups[];
extern const size_t sv_row_group_count;

const char *sv_edition_name(sv_edition edition);

/* The name of the first edition that lists a built-in row. */
const char *sv_edition_of(const sv_model *model);

/* SV_EDITION_COUNT where there is none of that name. */
sv_edition sv_edition_find(const sv_value *name);

/* Whether a model has that field at all. */
bool sv_takes(const sv_model *model, sv_field field);

/* What a caller's row may hold: visible ASCII of at most SV_MAX_WORD bytes;
** as many bytes of UTF-8 without control characters; a positive, finite
** number. */
bool sv_is_word(const char *text, size_t length);
bool sv_is_phrase(const char *text, size_t length);
bool sv_is_limit(double number);

/* Why a row makes no sense as a whole ("duration.min is above duration.max"),
** or NULL. */
const char *sv_row_fault(const sv_model *row);

/* --- the catalog ----------------------------------------------------------- */

/* The models that are known: the built-in rows, which say what the provider's
** documents say, and further rows of the caller's. Begins with all zero and
** sv_catalog_open; ends with sv_catalog_close, whatever opening or adding said.
** Owns its rows. Read only, and fit for any thread, once the last is added. */
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
