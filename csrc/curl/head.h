/*
** The head of an HTTP answer, as its lines stand in memory.
*/
#ifndef SV_CURL_HEAD_H
#define SV_CURL_HEAD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sv_field {
  const char *name, *value;
  size_t name_size, value_size;
} sv_field;

/* Steps through the fields of a head: `cursor` begins at the head's start.
** The status line and lines without a colon are passed over. */
bool sv_head_next(const char **cursor, const char *end, sv_field *field);

/* The first field of that name, in any case. */
bool sv_head_find(const char *head, size_t size, const char *name,
                  sv_field *field);

/* Whether the body may be a video: an error page or an error object at HTTP
** 200 is none. */
bool sv_head_says_file(const char *head, size_t size);

/* Reads the digits at the beginning of a text that ends at `end`: the place
** after them, or NULL where there are none, or more than the number holds. */
const char *sv_head_number(const char *text, const char *end,
                           long long *number);

/* Whether the body is a range that begins at this offset. */
bool sv_head_continues(const char *head, size_t size, long long offset);

#endif
