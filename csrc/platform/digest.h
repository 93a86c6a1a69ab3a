/*
** SHA-256 of bytes as they come.
*/
#ifndef SV_PLATFORM_DIGEST_H
#define SV_PLATFORM_DIGEST_H

#include <stddef.h>

enum { SV_SHA256_HEX = 2 * 32 + 1 }; /* FIPS 180-4; with the ending zero */

/* libcrypto's context. */
typedef struct evp_md_ctx_st sv_digest;

/* NULL where memory is short. */
sv_digest *sv_digest_new(void);
void sv_digest_free(sv_digest *digest);

/* Each 0 or an errno. `begin` may be called again to start anew; `end` gives
** lowercase hex. */
int sv_digest_begin(sv_digest *digest);
int sv_digest_add(sv_digest *digest, const void *bytes, size_t size);
int sv_digest_end(sv_digest *digest, char hex[SV_SHA256_HEX]);

/* The digest of a whole file, open wherever it stands, or by its name; 0 or an
** errno. Takes its time: ECANCELED once `stop` (atomic; or NULL) is set. */
int sv_digest_open_file(int file, char hex[SV_SHA256_HEX], const int *stop);
int sv_digest_file(const char *path, char hex[SV_SHA256_HEX], const int *stop);

#endif
