#include "http/answer.h"

#include <string.h>

#include "rules/text.h"

#include "rules/visibility.h"

static bool blank(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void trim(const char **start, size_t *size) {
  while (*size > 0 && blank(**start)) {
    ++*start;
    --*size;
  }
  while (*size > 0 && blank((*start)[*size - 1])) {
    --*size;
  }
}

bool sv_head_next(const char **cursor, const char *end, sv_header_line *line) {
  while (*cursor < end) {
    const char *start = *cursor;
    const char *stop = memchr(start, '\n', (size_t)(end - start));
    const char *line_end = stop ? stop : end;
    *cursor = stop ? stop + 1 : end;
    const char *colon = memchr(start, ':', (size_t)(line_end - start));
    if (!colon || (line_end - start >= 5 && memcmp(start, "HTTP/", 5) == 0)) {
      continue;
    }
    line->name = start;
    line->name_size = (size_t)(colon - start);
    line->value = colon + 1;
    line->value_size = (size_t)(line_end - colon - 1);
    trim(&line->name, &line->name_size);
    trim(&line->value, &line->value_size);
    return true;
  }
  return false;
}

bool sv_head_find(const char *head, size_t size, const char *name,
                  sv_header_line *line) {
  const char *cursor = head, *end = head + size;
  size_t name_size = strlen(name);
  while (size > 0 && sv_head_next(&cursor, end, line)) {
    if (line->name_size == name_size &&
        sv_starts_with(line->name, name_size, name)) {
      return true;
    }
  }
  return false;
}

bool sv_head_says_file(const char *head, size_t size) {
  sv_header_line type;
  return !sv_head_find(head, size, "Content-Type", &type) ||
         !(sv_starts_with(type.value, type.value_size, "text/") ||
           sv_starts_with(type.value, type.value_size, "application/json"));
}

sv_content_range sv_head_range(const char *head, size_t size) {
  const sv_content_range nothing = {-1, -1, -1};
  sv_header_line line;
  return sv_head_find(head, size, "Content-Range", &line)
             ? sv_content_range_read(line.value, line.value_size)
             : nothing;
}

/* --- versions ------------------------------------------------------------- */

/* A header that is missing from one of the two answers does not contradict. */
static bool same(const char *known, const char *name, const char *head,
                 size_t size) {
  sv_header_line line;
  return !known || !sv_head_find(head, size, name, &line) ||
         (strlen(known) == line.value_size &&
          memcmp(known, line.value, line.value_size) == 0);
}

bool sv_version_matches(const sv_version *version, const char *head,
                        size_t size) {
  long long total = sv_head_range(head, size).total;
  return same(version->etag, "ETag", head, size) &&
         same(version->modified, "Last-Modified", head, size) &&
         (version->total == 0 || total < 0 || total == version->total);
}
