/*
** The head of a partial answer, of any bytes, against what is known of the
** file: the first line is its size, the second its ETag.
*/
#include "http/answer.h"

#include "bytes.h"

static char *take_text(bytes *b) {
  size_t size;
  const char *line = take_line(b, &size);
  char *text = calloc(1, size + 1);
  HOLDS(text != NULL);
  memcpy(text, line, size);
  return text;
}

/* What is not known contradicts nothing, nor does a head without a field. */
static void check(const sv_version *version, const char *head, size_t size) {
  sv_version nothing = {0};
  HOLDS(sv_version_matches(&nothing, head, size));
  HOLDS(sv_version_matches(version, head, 0));
  sv_version_matches(version, head, size);
}

/* Of two sizes a head can name but one. */
static void check_total(long long total, const char *head, size_t size) {
  sv_version known = {.total = total}, other = {.total = total + 1};
  sv_version third = {.total = total + 2};
  int matching = sv_version_matches(&known, head, size) +
                 sv_version_matches(&other, head, size) +
                 sv_version_matches(&third, head, size);
  HOLDS(matching == 3 || matching <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bytes b = {data, size};
  char *number = take_text(&b), *etag = take_text(&b);
  long long total = strtoll(number, NULL, 10) & 0xFFFFFFFFFF;
  const sv_version version = {etag, etag, total};
  char *head = copy_exactly(b.at, b.left);
  check(&version, head, b.left);
  check_total(total + 1, head, b.left);
  free(head);
  free(number);
  free(etag);
  return 0;
}
