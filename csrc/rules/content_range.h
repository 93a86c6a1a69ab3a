/*
** Which part of a file an answer holds, as its header Content-Range says it
** (RFC 9110, 14.4): "bytes first-last/total", where a
** star may stand for the total, or for the part.
*/
#ifndef SV_RULES_CONTENT_RANGE_H
#define SV_RULES_CONTENT_RANGE_H

#include <stddef.h>

/* Positions of the first and the last byte, and the size of the whole file in
** bytes; -1 for what the header does not say, or says malformed. */
typedef struct sv_content_range {
  long long first, last, total;
} sv_content_range;

sv_content_range sv_content_range_read(const char *text, size_t size);

#endif
