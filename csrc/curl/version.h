/*
** Which version of a file the bytes of an earlier download are of, as the
** server told then. A rest of another version must not be put behind them.
*/
#ifndef SV_CURL_VERSION_H
#define SV_CURL_VERSION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sv_version {
  char *etag, *modified; /* as the headers had them, or NULL */
  long long total;       /* bytes of the whole file; 0: unknown */
} sv_version;

/* Copies; false where memory is short. Freed in either case. */
bool sv_version_copy(sv_version *version, const char *etag,
                     const char *modified, long long total);
void sv_version_free(sv_version *version);

/* Whether the head of a partial answer contradicts nothing that is known. */
bool sv_version_matches(const sv_version *version, const char *head,
                        size_t size);

#endif
