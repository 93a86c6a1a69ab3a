/*
** The version of a file on the server that an earlier download saved the first
** part of, as the headers said then. The rest of another version must not be
** appended to it.
*/
#ifndef SV_HTTP_VERSION_H
#define SV_HTTP_VERSION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sv_version {
  char *etag, *modified; /* as the headers had them, or NULL */
  long long total;       /* bytes of the whole file; 0: unknown */
} sv_version;

/* Copies; false where memory is short. To be freed in either case. */
bool sv_version_copy(sv_version *version, const char *etag,
                     const char *modified, long long total);
void sv_version_free(sv_version *version);

/* Whether nothing in the head of a partial answer contradicts the version. */
bool sv_version_matches(const sv_version *version, const char *head,
                        size_t size);

#endif
