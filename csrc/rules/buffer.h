/*
** Bytes that grow. All zero is an empty one, whose `data` is NULL. It owns its
** bytes, until sv_buffer_free; one thread uses it at a time.
*/
#ifndef SV_RULES_BUFFER_H
#define SV_RULES_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sv_buffer {
  char *data;
  size_t size, room;
} sv_buffer;

/* False where memory is short; the bytes so far are kept. */
bool sv_buffer_add(sv_buffer *buffer, const char *bytes, size_t size);
void sv_buffer_free(sv_buffer *buffer);

#endif
