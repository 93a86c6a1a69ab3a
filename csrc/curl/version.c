#define _GNU_SOURCE /* strdup */

#include "curl/version.h"

#include <stdlib.h>
#include <string.h>

#include "curl/head.h"

bool sv_version_copy(sv_version *version, const char *etag,
                     const char *modified, long long total) {
  version->etag = etag ? strdup(etag) : NULL;
  version->modified = modified ? strdup(modified) : NULL;
  version->total = total;
  return (version->etag || !etag) && (version->modified || !modified);
}

void sv_version_free(sv_version *version) {
  free(version->etag);
  free(version->modified);
}

/* A field that one of the two answers lacks says nothing. */
static bool same(const char *known, const char *name, const char *head,
                 size_t size) {
  sv_field field;
  return !known || !sv_head_find(head, size, name, &field) ||
         (strlen(known) == field.value_size &&
          memcmp(known, field.value, field.value_size) == 0);
}

/* RFC 9110, 14.4: bytes first-last/complete, where complete may be "*". */
static bool same_total(long long known, const char *head, size_t size) {
  sv_field range;
  if (known == 0 || !sv_head_find(head, size, "Content-Range", &range)) {
    return true;
  }
  const char *end = range.value + range.value_size;
  const char *slash = memchr(range.value, '/', range.value_size);
  long long total;
  return !slash || !sv_head_number(slash + 1, end, &total) || total == known;
}

bool sv_version_matches(const sv_version *version, const char *head,
                        size_t size) {
  return same(version->etag, "ETag", head, size) &&
         same(version->modified, "Last-Modified", head, size) &&
         same_total(version->total, head, size);
}
