#include "rules/content_range.h"

#include <limits.h>
#include <string.h>

#include "rules/text.h"

#include "rules/visibility.h"

/* Reads the digits at the start of a text: the place after them, or NULL where
** there are none, or more than the number holds. */
static const char *read_number(const char *text, const char *end,
                               long long *number) {
  const char *at = text;
  long long read = 0;
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    if (read > (LLONG_MAX - 9) / 10) {
      return NULL;
    }
    read = read * 10 + (*at - '0');
  }
  *number = at > text ? read : *number;
  return at > text ? at : NULL;
}

sv_content_range sv_content_range_read(const char *text, size_t size) {
  static const char unit[] = "bytes ";
  sv_content_range range = {-1, -1, -1};
  if (!sv_starts_with(text, size, unit)) {
    return range;
  }
  const char *end = text + size, *start = text + strlen(unit);
  const char *dash = read_number(start, end, &range.first);
  if (dash && dash < end && *dash == '-') {
    read_number(dash + 1, end, &range.last);
  } else {
    range.first = -1;
  }
  const char *slash = memchr(text, '/', size);
  if (slash) {
    read_number(slash + 1, end, &range.total);
  }
  return range;
}
