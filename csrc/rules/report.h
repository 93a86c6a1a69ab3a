/*
** What is wrong with a request: every fault found, in the order of the
** fields. Owns copies of all it says, so it outlives the request.
*/
#ifndef SV_RULES_REPORT_H
#define SV_RULES_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/value.h"

/* The one table of codes: a request with one of the first kind is refused,
** one with only the second kind is sent. */
#define SV_VIOLATIONS(X) \
  X(REQUIRED, "required") \
  X(TYPE, "type") \
  X(NOT_INTEGER, "not_integer") \
  X(OUT_OF_RANGE, "out_of_range") \
  X(UNSUPPORTED_VALUE, "unsupported_value") \
  X(TOO_LONG, "too_long") \
  X(ENCODING, "encoding") \
  X(TOO_MANY, "too_many") \
  X(NOT_SUPPORTED, "not_supported") \
  X(INCOMPLETE_PAIR, "incomplete_pair") \
  X(CONFLICT, "conflict") \
  X(BAD_URL, "bad_url") \
  X(UNKNOWN_MODEL, "unknown_model") \
  X(UNKNOWN_FIELD, "unknown_field") \
  X(MEDIA_TOO_LARGE, "media_too_large") \
  X(MEDIA_TOO_LONG, "media_too_long") \
  X(MEDIA_TOO_SHORT, "media_too_short") \
  X(MEDIA_RESOLUTION, "media_resolution")

#define SV_WARNINGS(X) \
  X(IGNORED_FIELD, "ignored_field") \
  X(ADVISORY, "advisory")

typedef enum sv_code {
#define SV_CODE(id, name) SV_##id,
  SV_VIOLATIONS(SV_CODE)
  SV_WARNINGS(SV_CODE)
#undef SV_CODE
  SV_CODE_COUNT
} sv_code;

#define SV_FIRST_WARNING SV_IGNORED_FIELD

typedef struct sv_issue {
  sv_code code;
  const char *field;
  const char *message; /* a sentence that begins with the field's name */
  sv_value limit;      /* SV_ABSENT, SV_NUMBER or SV_TEXT */
  sv_value actual;     /* likewise */
} sv_issue;

/* All zero: empty. To be ended with sv_report_close. */
typedef struct sv_report {
  sv_issue *issues;
  size_t kept;
  size_t capacity;
  size_t violations; /* found, kept or not */
  size_t warnings;
  bool out_of_memory; /* something was found and could not be kept */
} sv_report;

const char *sv_code_name(sv_code code);

/* Notes a fault. message goes on where the field's name ends. A report that
** is out of memory only counts on. */
void sv_report_add(sv_report *report, sv_code code, const char *field,
                   sv_value limit, sv_value actual, const char *message, ...)
  __attribute__((format(printf, 6, 7)));

/* Notes that a value is not of the type that the field wants; wanted goes on
** after "must be". */
void sv_report_type(sv_report *report, const char *field, const char *wanted,
                    const sv_value *value);

void sv_report_close(sv_report *report);

/* For a fault that has no limit, or no actual value. */
extern const sv_value sv_none;

#endif
