#include "curl/head.h"

#include <limits.h>
#include <string.h>

#include <curl/curl.h>

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

bool sv_head_next(const char **cursor, const char *end, sv_field *field) {
  while (*cursor < end) {
    const char *line = *cursor;
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    const char *line_end = stop ? stop : end;
    *cursor = stop ? stop + 1 : end;
    const char *colon = memchr(line, ':', (size_t)(line_end - line));
    if (!colon || (line_end - line >= 5 && memcmp(line, "HTTP/", 5) == 0)) {
      continue;
    }
    field->name = line;
    field->name_size = (size_t)(colon - line);
    field->value = colon + 1;
    field->value_size = (size_t)(line_end - colon - 1);
    trim(&field->name, &field->name_size);
    trim(&field->value, &field->value_size);
    return true;
  }
  return false;
}

bool sv_head_find(const char *head, size_t size, const char *name,
                  sv_field *field) {
  const char *cursor = head, *end = head + size;
  size_t name_size = strlen(name);
  while (size > 0 && sv_head_next(&cursor, end, field)) {
    if (field->name_size == name_size &&
        curl_strnequal(field->name, name, name_size)) {
      return true;
    }
  }
  return false;
}

static bool starts_with(const sv_field *field, const char *prefix) {
  size_t size = strlen(prefix);
  return field->value_size >= size &&
         curl_strnequal(field->value, prefix, size);
}

bool sv_head_says_file(const char *head, size_t size) {
  sv_field type;
  return !sv_head_find(head, size, "Content-Type", &type) ||
         (!starts_with(&type, "text/") &&
          !starts_with(&type, "application/json"));
}

const char *sv_head_number(const char *text, const char *end,
                           long long *number) {
  const char *at = text;
  *number = 0;
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    if (*number > (LLONG_MAX - 9) / 10) {
      return NULL;
    }
    *number = *number * 10 + (*at - '0');
  }
  return at > text ? at : NULL;
}

/* RFC 9110, 14.4: bytes first-last/complete. */
bool sv_head_continues(const char *head, size_t size, long long offset) {
  sv_field range;
  if (!sv_head_find(head, size, "Content-Range", &range) ||
      !starts_with(&range, "bytes ")) {
    return false;
  }
  long long first;
  const char *end = range.value + range.value_size;
  const char *after = sv_head_number(range.value + 6, end, &first);
  return after && after < end && *after == '-' && first == offset;
}
