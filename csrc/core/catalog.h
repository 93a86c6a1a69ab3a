/*
** The models, the editions and their limits: tables of data.
**
** A limit of 0 or NULL is no limit. Sizes are in bytes, lengths in seconds,
** prompts in code points. The built-in rows say what the provider's documents
** say; a catalog may hold further rows of the caller's.
*/
#ifndef SV_CORE_CATALOG_H
#define SV_CORE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/report.h"

/* Every field of a request, in the order in which faults are reported. */
#define SV_FIELDS(X) \
  X(MODEL, "model") \
  X(PROMPT, "prompt") \
  X(DURATION, "duration") \
  X(RATIO, "ratio") \
  X(RESOLUTION, "resolution") \
  X(FIRST_IMAGE, "first_image") \
  X(LAST_IMAGE, "last_image") \
  X(OLD_FIRST_IMAGE, "image") \
  X(OLD_LAST_IMAGE, "lastFrameImage") \
  X(IMAGES, "referenceImages") \
  X(VIDEOS, "referenceVideos") \
  X(AUDIOS, "referenceAudios")

typedef enum sv_field {
#define SV_FIELD(id, name) SV_##id,
  SV_FIELDS(SV_FIELD)
#undef SV_FIELD
  SV_FIELD_COUNT
} sv_field;

#define SV_BIT(id) (1u << (id))

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

typedef struct sv_choice {
  const char *values[SV_MAX_CHOICES + 1]; /* up to the first NULL */
  const char *standard;                   /* what the server takes by itself */
} sv_choice;

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
} sv_media_limits;

typedef struct sv_model {
  const char *name;
  const char *endpoint;
  unsigned editions; /* SV_BIT of each edition that lists it */
  unsigned takes;    /* SV_BIT of each field; sv_takes adds the old names */
  struct {
    double max;
  } prompt;
  struct {
    bool required;
    double min, max;
    double standard;
    double advised[SV_MAX_CHOICES + 1]; /* up to the first 0 */
  } duration;
  sv_choice ratio;
  sv_choice resolution;
  struct {
    bool legacy_aliases;
  } frames;
  sv_media_limits images, videos, audios;
} sv_model;

/* The shape of a row, for whoever reads or writes one: groups of keys, with
** the place of each in sv_model. The first group is the row itself. */
typedef enum sv_row_kind {
  SV_ROW_TEXT,
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

/* Begin with { .resize = sv_heap } and sv_catalog_open; end with
** sv_catalog_close, whatever opening or adding said. Owns its rows. Read
** only, and fit for any thread, once the last row is added. */
typedef struct sv_catalog {
  sv_resize *resize;
  const char *edition; /* NULL = for each model the newest text that lists it */
  sv_model **models;
  size_t count;
} sv_catalog;

const char *sv_field_name(sv_field field);
const char *sv_edition_name(sv_edition edition);

/* SV_FIELD_COUNT and SV_EDITION_COUNT where there is none of that name. */
sv_field sv_field_find(const sv_value *name);
sv_edition sv_edition_find(const sv_value *name);

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

/* Whether a model has that field at all. */
bool sv_takes(const sv_model *model, sv_field field);

/* What a caller's row may hold: visible ASCII of at most SV_MAX_WORD bytes;
** a positive, finite number. */
bool sv_is_word(const char *text, size_t length);
bool sv_is_limit(double number);

/* Why a row makes no sense as a whole ("duration.min is above duration.max"),
** or NULL. */
const char *sv_row_fault(const sv_model *row);

#endif
