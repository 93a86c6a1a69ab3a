#include "rules/buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/visibility.h"

enum { FIRST_ROOM = 512 };

static bool reserve(sv_buffer *buffer, size_t wanted) {
  size_t room = buffer->room ? buffer->room : FIRST_ROOM;
  while (room < wanted) {
    room = room <= SIZE_MAX / 2 ? room * 2 : wanted;
  }
  char *data = realloc(buffer->data, room);
  if (!data) {
    return false;
  }
  buffer->data = data;
  buffer->room = room;
  return true;
}

bool sv_buffer_add(sv_buffer *buffer, const char *bytes, size_t size) {
  if (size == 0) {
    return true;
  }
  if (buffer->size + size > buffer->room &&
      !reserve(buffer, buffer->size + size)) {
    return false;
  }
  memcpy(buffer->data + buffer->size, bytes, size);
  buffer->size += size;
  return true;
}

void sv_buffer_free(sv_buffer *buffer) {
  free(buffer->data);
  memset(buffer, 0, sizeof *buffer);
}
