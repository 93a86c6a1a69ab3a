/*
** The head of an answer, of any bytes: the first line is a number that a
** range may name.
*/
#include "http/answer.h"

#include "bytes.h"

static bool within(const char *at, size_t size, const char *from,
                   size_t all) {
  return at >= from && at + size <= from + all;
}

static void check_fields(const char *head, size_t size) {
  const char *cursor = head;
  size_t lines = 0;
  sv_header_line line;
  while (size > 0 && sv_head_next(&cursor, head + size, &line)) {
    HOLDS(within(line.name, line.name_size, head, size));
    HOLDS(within(line.value, line.value_size, head, size));
    HOLDS(!memchr(line.name, ':', line.name_size));
    HOLDS(!memchr(line.value, '\n', line.value_size));
    HOLDS(++lines <= size);
  }
}

/* Of any bytes a range says nothing, or what is not below 0; and one that is
** well-formed is read as it was written. */
static void check_range(const char *head, size_t size, long long number) {
  char text[160];
  sv_content_range range = sv_head_range(head, size);
  HOLDS(range.first >= -1 && range.last >= -1 && range.total >= -1);
  HOLDS(range.last < 0 || range.first >= 0);
  snprintf(text, sizeof text, "HTTP/1.1 206\r\ncontent-range: Bytes %lld-"
           "%lld/%lld\r\n\r\n", number, number, number);
  range = sv_head_range(text, strlen(text));
  HOLDS(number < 0 || (range.first == number && range.last == number &&
                       range.total == number));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bytes b = {data, size};
  size_t digits;
  char text[24] = "";
  const char *line = take_line(&b, &digits);
  if (digits) {
    memcpy(text, line, digits < 19 ? digits : 18);
  }
  long long number = strtoll(text, NULL, 10);
  char *head = copy_exactly(b.at, b.left);
  check_fields(head, b.left);
  sv_head_says_file(head, b.left);
  check_range(head, b.left, number);
  free(head);
  return 0;
}
