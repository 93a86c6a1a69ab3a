/*
** The head of an answer, of any bytes: the first line is the offset at which
** a body is to go on.
*/
#include "curl/head.h"

#include "bytes.h"

static bool within(const char *at, size_t size, const char *from,
                   size_t all) {
  return at >= from && at + size <= from + all;
}

static void check_fields(const char *head, size_t size) {
  const char *cursor = head;
  size_t lines = 0;
  sv_field field;
  while (size > 0 && sv_head_next(&cursor, head + size, &field)) {
    HOLDS(within(field.name, field.name_size, head, size));
    HOLDS(within(field.value, field.value_size, head, size));
    HOLDS(!memchr(field.name, ':', field.name_size));
    HOLDS(!memchr(field.value, '\n', field.value_size));
    HOLDS(++lines <= size);
  }
}

/* What goes on at one place cannot go on at another. */
static void check_range(const char *head, size_t size, long long offset) {
  if (sv_head_continues(head, size, offset)) {
    HOLDS(offset >= 0 && !sv_head_continues(head, size, offset + 1));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bytes b = {data, size};
  size_t digits;
  char number[24] = "";
  const char *line = take_line(&b, &digits);
  if (digits) {
    memcpy(number, line, digits < 19 ? digits : 18);
  }
  long long offset = strtoll(number, NULL, 10);
  char *head = copy_exactly(b.at, b.left);
  check_fields(head, b.left);
  sv_head_says_file(head, b.left);
  check_range(head, b.left, offset);
  check_range(head, b.left, 0);
  free(head);
  return 0;
}
