#define _GNU_SOURCE /* strdup */

#include "http/version.h"

#include <stdlib.h>
#include <string.h>

#include "http/head.h"

#include "rules/visibility.h"

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
