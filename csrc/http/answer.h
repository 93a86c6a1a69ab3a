/*
** The head of an HTTP answer, as its lines stand in memory; and which version of
** a file it speaks of.
*/
#ifndef SV_HTTP_ANSWER_H
#define SV_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/text.h"

/* One header; its texts are the head's, and not ended by a NUL. */
typedef struct sv_header_line {
  const char *name, *value;
  size_t name_size, value_size;
} sv_header_line;

/* Steps through the headers of a head: `cursor` begins at the head's start.
** The status line and lines without a colon are passed over. */
bool sv_head_next(const char **cursor, const char *end, sv_header_line *line);

/* The first header of that name, in any case. */
bool sv_head_find(const char *head, size_t size, const char *name,
                  sv_header_line *line);

/* Whether its type is not that of an error page or an error object; whether the
** body is one its bytes tell. */
bool sv_head_says_file(const char *head, size_t size);

/* What its Content-Range says; each -1 where it has none. */
sv_content_range sv_head_range(const char *head, size_t size);

/* The version of a file of which an earlier download saved the first part: the
** rest of another one must not be appended to it. */
typedef struct sv_version {
  const char *etag, *modified; /* as the headers had them, or NULL */
  long long total;             /* bytes of the whole file; 0: unknown */
} sv_version;

/* Whether nothing in the head of a partial answer contradicts the version. */
bool sv_version_matches(const sv_version *version, const char *head,
                        size_t size);

#endif
