/*
** SHA-256 of bytes as they come.
*/
#ifndef SV_DIGEST_H
#define SV_DIGEST_H

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

/* Adds the first `size` bytes of an open file, wherever it stands; EIO where
** it has fewer. */
int sv_digest_add_file(sv_digest *digest, int file, long long size);

/* The digest of a whole file; 0 or an errno. */
int sv_digest_file(const char *path, char hex[SV_SHA256_HEX]);

#endif
